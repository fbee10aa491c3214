"""What is loaded when it is asked for: the lists that say where it is are true and complete."""

from __future__ import annotations

import ast
import importlib
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import tfc as tf
from tfc.base.later import later, modules, table
from tfc.framework import opdef
from tfc.ops.later import LATER as OPS
from tfc.ops.names.later import LATER as NAMES

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ["tfc", "tfc.io", "tfc.nn", "tfc.train"]


def fresh(code: str) -> list[str]:
    """The words that a fresh process says."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def static_names(path: Path, everything: bool = False) -> dict[str, str]:
    """By name, where type checkers find it: imports under TYPE_CHECKING, or all of the file."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) or everything:
            for line in ast.walk(node):
                if isinstance(line, ast.ImportFrom):
                    found |= {a.asname or a.name: f"{line.module}:{a.name}" for a in line.names}
            if everything:
                break
    found.pop("*", None)
    return found


def value_of(place: str) -> object:
    module, _, attribute = place.partition(":")
    try:
        return importlib.import_module(f"{module}.{attribute}" if attribute else module)
    except ModuleNotFoundError:
        return getattr(importlib.import_module(module), attribute)


def test_tables() -> None:
    text = "a.b: c d=e\n  f\na: g"
    assert table(text) == {"c": "a.b:c", "d": "a.b:e", "f": "a.b:f", "g": "a:g"}
    assert modules("a.b: c\n d") == {"c": "a.b", "d": "a.b"}
    with pytest.raises(AttributeError, match="module 'tfc' has no attribute 'x'"):
        later("tfc", "x", {})


def test_every_op_is_listed_or_defined_by_the_import() -> None:
    """A module of ops that is neither imported nor listed defines nothing."""
    code = "import tfc.framework.opdef as o; print(*o._REGISTRY)"
    at_import = set(fresh(code))
    assert not at_import & set(OPS)
    for path in (ROOT / "tfc" / "ops").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        importlib.import_module(".".join(parts).removesuffix(".__init__"))
    ours = {name for name, op in opdef._REGISTRY.items() if op.__module__.startswith("tfc.")}
    assert ours - at_import == set(OPS)


def test_modules_define_what_the_list_says() -> None:
    code = "import tfc.framework.opdef as o\nfor n in o._LATER: assert o.lookup(n).name == n, n"
    assert fresh(code) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_programs_and_type_checkers_find_the_same(package: str) -> None:
    module = importlib.import_module(package)
    static = static_names(Path(str(module.__file__)))
    if package == "tfc":
        static |= static_names(ROOT / "tfc" / "ops" / "names" / "top.py", everything=True)
    static.pop("test", None)
    names = {name for name in module._LATER if name not in {"test"}}
    assert names == set(static)
    for name in names:
        assert getattr(module, name) is value_of(static[name]), name
    assert names <= set(dir(module))


@pytest.mark.parametrize("name", sorted(n for n in NAMES if ":" not in NAMES[n]))
def test_namespaces(name: str) -> None:
    assert isinstance(getattr(tf, name), ModuleType)
    assert fresh(f"from tfc import {name}") == []


def test_an_op_of_an_imported_graph_is_found() -> None:
    code = """
import sys, tfc as tf
assert "tfc.ops.linalg.solve_ops" not in sys.modules
x = tf.constant([[2.0, 0.0], [0.0, 4.0]])
op = tf.get_default_graph().create_op("MatrixInverse", [x], [tf.float32], attrs={"adjoint": False})
print(*tf.Session().run(op.outputs[0]).ravel())
assert tf.gradients(op.outputs[0], x)[0] is not None
"""
    assert fresh(code) == ["0.5", "0.0", "0.0", "0.25"]


def test_threads_may_ask_at_the_same_time() -> None:
    code = """
import threading, tfc
barrier, found = threading.Barrier(8), []
def ask():
    barrier.wait()
    found.append((tfc.svd, tfc.image.resize_bilinear, tfc.train.Saver, tfc.raw_ops.Lu))
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(found), len({entry[:3] for entry in found}))
"""
    assert fresh(code) == ["8", "1"]


def test_functions_and_classes_can_be_pickled() -> None:
    for value in (tf.svd, tf.train.AdamOptimizer, tf.FixedLenFeature([2], tf.float32)):
        again = pickle.loads(pickle.dumps(value))
        assert again is value or again == value
