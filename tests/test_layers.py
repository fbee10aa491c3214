"""The layer rule: imports go down, llvmlite stays in codegen, files and functions stay short."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tfc"
# A module may import from layers of lower numbers, and from its own part. Tens are the layers of
# the architecture, ones the order within a layer.
LAYERS = {
    "base": 0,
    "runtime": 0,
    "version": 0,
    "ir": 10,
    "prims": 20,
    "passes": 30,
    "codegen": 30,
    "cache": 40,
    "tiers": 40,
    "recall": 41,
    "compiler": 42,
    "framework": 42,
    "ops": 50,
    "client": 60,
    "train": 70,
    "data": 70,
    "io": 68,
    "layers": 70,
    "losses": 70,
    "metrics": 70,
    "summary": 69,
    "rnn": 71,
    "seq2seq": 72,
    "nn": 72,
    "contrib": 73,
    "testing": 74,
    "tools": 74,
}
# Outside the layers: the namespace, what `python -m tfc` starts, and programs that use it all.
TOP = {"__init__", "__main__", "examples"}
# Who may import what is not ours, by top-level name.
ALLOWED = {
    "llvmlite": {"codegen"},
    "google": {"io", "summary"},
    "tensorboard": {"io", "summary"},
    "safetensors": {"io", "train"},
    "scipy_openblas32": {"runtime"},
    "numba": set(),
}
# The host rules of summary ops make the protos that event files hold.
EXCEPTIONS = {("ops/summary_ops.py", "tensorboard")}
MAX_LINES = 500
MAX_FUNCTION = 60
FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(module: str) -> str:
    """`passes` for `tfc.passes.lower`; the top-level file's name for modules of the package."""
    names = module.split(".")
    return names[1] if len(names) > 1 else "__init__"


def module_name(path: Path) -> str:
    names = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" and len(names) > 2 else names)


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, full module name) of everything that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module is not None
            if node.module == "tfc":
                for alias in node.names:
                    yield node.lineno, f"tfc.{alias.name}"
            else:
                yield node.lineno, node.module


def allowed_import(importer: str, target: str) -> bool:
    """Whether a module of part `importer` may import part `target` of the package."""
    if importer in TOP or importer == target:
        return True
    if target not in LAYERS:
        return False  # `from tfc import x`, where x is a name of the namespace
    return LAYERS[target] < LAYERS[importer]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    part = part_of(module_name(path))
    assert part in LAYERS or part in TOP, f"{part} has no layer"
    wrong = []
    for line, name in imported(path):
        top = name.split(".")[0]
        if top == "tfc" and not allowed_import(part, part_of(name)):
            wrong.append(f"{path}:{line}: {part} must not import {name}")
        elif (str(path.relative_to(PACKAGE)), top) in EXCEPTIONS:
            continue
        elif top in ALLOWED and part not in ALLOWED[top]:
            wrong.append(f"{path}:{line}: only {sorted(ALLOWED[top])} may import {top}")
    assert not wrong, "\n".join(wrong)


def test_the_rule_itself() -> None:
    assert allowed_import("passes", "prims") and allowed_import("ops", "framework")
    assert not allowed_import("prims", "passes")
    assert not allowed_import("passes", "codegen") and not allowed_import("codegen", "passes")
    assert not allowed_import("framework", "ops") and not allowed_import("ops", "client")
    assert not allowed_import("framework", "compiler")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_LINES, f"{path} is longer than {MAX_LINES} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = own_lines(node)
            assert length <= MAX_FUNCTION, f"{path}:{node.lineno}: {node.name} has {length} lines"


def own_lines(function: ast.FunctionDef) -> int:
    """Lines of a function without its docstring and without the functions defined inside it."""

    def lines(node: ast.stmt) -> int:
        return (node.end_lineno or node.lineno) - node.lineno + 1

    total = lines(function)
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        total -= lines(first)
    stack: list[ast.stmt] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef):
            total -= lines(node)
        elif isinstance(node, ast.ClassDef | ast.With | ast.If):
            stack.extend(node.body)
    return total


# What `import tfc` loads, by top-level name and for our own by folder; the standard library aside.
LOADED = {"llvmlite", "ml_dtypes", "numpy", "tfc"}
OURS = {
    "base", "cache", "client", "codegen", "compiler", "framework", "io", "ir", "nn", "ops",
    "passes", "prims", "recall", "runtime", "tiers", "train", "version",
}  # fmt: skip


def after(code: str) -> list[str]:
    """The modules that a fresh process has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\nbefore = set(sys.modules)\n{code}\n"
         "sys.stdout.write(' '.join(sys.modules.keys() - before))"],  # print may be tf.print
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    return done.stdout.split()


def test_import_loads_what_every_program_needs_and_no_more() -> None:
    """`import tfc` must not pay for what few programs use."""
    loaded = after("import tfc")
    foreign = {name.split(".")[0] for name in loaded} - sys.stdlib_module_names
    assert {name for name in foreign if name[0] != "_" and "cython" not in name} == LOADED
    assert {name.split(".")[1] for name in loaded if name.startswith("tfc.")} == OURS
    slow = {"asyncio", "doctest", "gzip", "http", "multiprocessing", "sqlite3", "unittest", "xml"}
    assert not slow.intersection(loaded)


@pytest.mark.parametrize(
    "code, module",
    [
        ("import tfc; tfc.layers.dense", "tfc.layers"),
        ("import tfc; tfc.contrib.rnn.LSTMCell", "tfc.contrib.rnn"),
        ("import tfc.contrib.rnn", "tfc.contrib.rnn"),
        ("from tfc import losses", "tfc.losses"),
        ("from tfc.metrics import accuracy", "tfc.metrics"),
        ("from tfc import *; metrics.accuracy", "tfc.metrics"),
        ("import tfc; tfc.nn.rnn_cell.GRUCell", "tfc.rnn.rnn_cell"),
        ("from tfc.nn import dynamic_rnn", "tfc.rnn.dynamic"),
        ("import tfc; tfc.nn.static_rnn", "tfc.rnn.static"),
        ("import tfc; tfc.test.TestCase", "tfc.testing"),
        ("import tfc; tfc.summary.scalar", "tfc.summary"),
        ("from tfc.train import Saver", "tfc.train.saver"),
        ("import tfc; tfc.image.decode_png", "tfc.ops.image.png_ops"),
        ("import tfc; tfc.raw_ops.FFT", "tfc.ops.signal.fft_ops"),
        ("import tfc.examples.tutorials.mnist.mnist", "tfc.examples.tutorials.mnist.mnist"),
    ],
)
def test_what_is_not_loaded_is_there_when_it_is_asked_for(code: str, module: str) -> None:
    assert module in after(code)


def test_what_is_not_loaded_is_listed_and_what_is_not_there_is_told() -> None:
    import tfc
    from tfc import nn

    assert {"contrib", "layers", "losses", "metrics", "nn", "train"} <= set(dir(tfc))
    assert {"dynamic_rnn", "rnn_cell", "relu"} <= set(dir(nn))
    assert set(tfc.__all__) <= set(dir(tfc)) and not any(n[0] == "_" for n in tfc.__all__)
    with pytest.raises(AttributeError, match="module 'tfc' has no attribute 'nothing'"):
        tfc.nothing  # noqa: B018
    with pytest.raises(AttributeError, match=r"module 'tfc\.nn' has no attribute 'nothing'"):
        nn.nothing  # noqa: B018
