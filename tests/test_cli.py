"""The command `tfc`: what it prints parses back and is the same every time."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tfc import prims
from tfc.ir.text import parse_all, print_function
from tfc.passes.pipeline import ORDER, PIPELINE
from tfc.tools.cli import main
from tfc.version import VERSION

PROGRAM = """
import sys
import numpy as np
import tfc as tf

x = tf.placeholder(tf.float32, [None, 3], name="x")
w = tf.Variable(np.ones((3, 2)), dtype=tf.float32, name="w")
loss = tf.reduce_mean(tf.square(tf.nn.relu(tf.matmul(x, w))))
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    print("loss", sess.run([train, loss], {x: np.ones((rows, 3))})[1])
"""

IR = """
// a stored function
func @double_and_transpose(%0: f32[2,3]) {
  %1 = transpose(%0) {perm=(1, 0)} : f32[3,2]
  %2 = transpose(%1) {perm=(1, 0)} : f32[2,3]
  %3 = add(%2, %0) : f32[2,3]
  return %3
}
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return str(path)


@pytest.fixture
def stored(tmp_path: Path) -> str:
    path = tmp_path / "stored.ir"
    path.write_text(IR)
    return str(path)


def tfc(*argv: str) -> str:
    out = io.StringIO()
    assert main(argv, out) == 0
    return out.getvalue()


def functions(text: str) -> list:
    return parse_all(text, prims.REGISTRY)


def op_names(function) -> list[str]:
    return [op.defn.name for op in function.ops]


# ---- programs


def test_a_program_is_run_and_each_pass_shown(script, capsys):
    text = tfc("dump-ir", script)
    captured = capsys.readouterr()
    assert captured.out == "" and "loss 9.0" in captured.err
    parsed = functions(text)
    headers = re.findall(r"// after (\S+?)(: no change)?\n", text)
    stages = ["lower"]
    for place in PIPELINE:
        times = sum(name.split(".")[0] == place.name for name in stages)
        stages.append(place.name if times == 0 else f"{place.name}.{times + 1}")
    count = int(re.findall(r"// signature (\d+):", text)[-1])
    assert count >= 2  # the initializer and the training step
    assert [name for name, _ in headers] == stages * count
    assert len(parsed) == sum(not unchanged for _, unchanged in headers)
    for function in parsed:
        assert functions(print_function(function))


def test_output_is_stable(script):
    assert tfc("dump-ir", script) == tfc("dump-ir", script)
    assert tfc("dump-ir", script, "--llvm") == tfc("dump-ir", script, "--llvm")
    assert tfc("dump-ir", script, "--list") == tfc("dump-ir", script, "--list")


def test_output_is_stable_between_processes(script):
    command = [sys.executable, "-m", "tfc", "dump-ir", script]
    runs = [
        subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent.parent,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout
    assert "after buffers" in runs[0].stdout and "loss 9.0" in runs[0].stderr


def training_signature(script) -> str:
    listed = tfc("dump-ir", script, "--list")
    return max(re.findall(r"^(\d+):", listed, re.MULTILINE), key=int)


def test_after_before_and_signature(script):
    number = training_signature(script)
    (after,) = functions(tfc("dump-ir", script, "--after", "fuse", "--signature", number))
    assert set(op_names(after)) <= {"const", "reshape", "fusion"}
    assert "fusion" in op_names(after)
    (before,) = functions(tfc("dump-ir", "--before", "fuse", script, "--signature", number))
    # forward, and the gradient of the weights; that of the fed `x` is dead
    assert op_names(before).count("dot") == 2 and "fusion" not in op_names(before)
    (lowered,) = functions(tfc("dump-ir", script, "--after", "lower", "--signature", number))
    assert op_names(lowered).count("dot") == 3


def test_diff(script):
    number = training_signature(script)
    text = tfc("dump-ir", script, "--diff", "fuse", "--signature", number)
    assert re.search(r"^-.* dot\(", text, re.MULTILINE)
    assert re.search(r"^\+.* fusion\(", text, re.MULTILINE)
    assert "--- before fuse" in text and "+++ after fuse" in text


def test_arguments_of_the_program_come_after_two_dashes(script):
    text = tfc("dump-ir", script, "--after", "lower", "--", "7")
    assert "f32[7,3]" in text and "f32[4,3]" not in text


def test_module(script, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(Path(script).parent))
    text = tfc("dump-ir", "-m", "program", "--after", "lower", "--", "5")
    assert "f32[5,3]" in text
    assert "loss 9.0" in capsys.readouterr().err


def test_llvm_and_assembly(script):
    assert "define i32 @" in tfc("dump-ir", script, "--llvm")
    assembly = tfc("dump-ir", script, "--asm")
    assert re.search(r"^\s+(ret|retq)\b", assembly, re.MULTILINE)


def test_times_of_passes_and_kernels(script):
    text = tfc("dump-ir", "--times", script)
    compiled = [re.sub(r"\d+\.\d", "1.0", part) for part in text.split("// signature ")[1:]]
    assert len(compiled) == 2
    train = compiled[1].splitlines()
    assert train[0].startswith("2: fetch GradientDescent")
    assert re.fullmatch(r"// compiled in 1\.0 ms", train[1])
    passes = [line.split()[-1] for line in train[3 : train.index("      ms  step")]]
    assert (
        passes[0] == "simplify" and passes[-2:] == ["buffers", "chain"] and "simplify.2" in passes
    )
    assert any(line.endswith(" emit_text") for line in train)
    kernels = train[train.index("    text   parse    fast    emit   lines   calls  kernel") + 1 :]
    rows = [row.split() for row in kernels if row]
    assert [row[6] for row in rows].count("run") == 1  # the entry
    assert {row[7] for row in rows} >= {"entry", "dot", "reduce"}
    assert all(row[:4] == ["1.0"] * 4 and int(row[4]) > 5 and int(row[5]) > 0 for row in rows)
    assert any("MatMul" in row[-1] or "MatMul" in " ".join(row) for row in rows)


def test_autodiff_shows_the_ops_that_gradients_added(script):
    text = tfc("dump-ir", script, "--autodiff")
    first, *lines = text.strip().splitlines()
    count = int(re.fullmatch(r"// tf.gradients call 1: (\d+) ops", first)[1])
    assert len(lines) == count
    assert all(line.startswith("%gradients/") for line in lines)
    assert lines[-1].startswith("%gradients/MatMul_grad/")
    assert any("= ReluGrad(" in line for line in lines)


def test_all_writes_every_stage(script, tmp_path):
    folder = tmp_path / "out"
    listed = tfc("dump-ir", script, "--all", "-o", str(folder)).splitlines()
    assert Path(listed[0]).name == "gradients.txt"
    assert "ReluGrad" in Path(listed.pop(0)).read_text()
    assert listed == sorted(listed) and all(Path(p).is_file() for p in listed)
    written = sorted(p.name for p in (folder / Path(listed[-1]).parent.name).iterdir())
    assert written[0] == "00_lower.ir" and written[1] == "01_simplify.ir"
    assert written[-2:] == ["kernels.ll", "kernels.s"]
    for path in folder.glob("*/*.ir"):
        assert len(functions(path.read_text())) == 1


def test_a_program_that_fails_is_still_shown(tmp_path, capsys):
    path = tmp_path / "fails.py"
    path.write_text(PROGRAM + "\nraise RuntimeError('too late')\n")
    out = io.StringIO()
    assert main(["dump-ir", str(path), "--list"], out) == 1
    assert out.getvalue().startswith("1: ")
    assert "RuntimeError: too late" in capsys.readouterr().err


def test_a_program_that_compiles_nothing(tmp_path, capsys):
    path = tmp_path / "nothing.py"
    path.write_text("print('hello')\n")
    assert main(["dump-ir", str(path)], io.StringIO()) == 1
    assert "nothing was compiled" in capsys.readouterr().err


def test_sys_is_left_as_it_was(script):
    before = list(sys.argv), list(sys.path)
    tfc("dump-ir", script, "--list")
    assert (list(sys.argv), list(sys.path)) == before


# ---- stored functions


def test_stored_function(stored):
    text = tfc("dump-ir", stored, "--after", "lower")
    assert op_names(functions(text)[0]) == ["transpose", "transpose", "add"]
    (simplified,) = functions(tfc("dump-ir", stored, "--after", "simplify"))
    assert op_names(simplified) == ["add"]
    assert "// signature 1: @double_and_transpose of stored.ir" in text
    assert "define" in tfc("dump-ir", stored, "--llvm")


def test_a_dump_is_a_stored_function(stored, tmp_path):
    again = tmp_path / "again.ir"
    again.write_text(tfc("dump-ir", stored, "--after", "simplify"))
    (function,) = functions(tfc("dump-ir", str(again), "--after", "lower"))
    assert op_names(function) == ["add"]


def test_errors_of_stored_functions(tmp_path, capsys):
    path = tmp_path / "bad.ir"
    path.write_text("func @f(%0: f32[2]) {\n  return %1\n}\n")
    assert main(["dump-ir", str(path)], io.StringIO()) == 2
    assert "%1 is used before it is defined" in capsys.readouterr().err


# ---- usage


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required"),
        (["dump-ir"], "takes a script, an .ir file, or -m MODULE"),
        (["dump-ir", "a.py", "-m", "b"], "takes a script, an .ir file, or -m MODULE"),
        (["dump-ir", "a.py", "--all"], "--all and -o DIR go together"),
        (["dump-ir", "a.py", "--afer", "fuse"], "unrecognized arguments: --afer"),
        (["dump-ir", "a.py", "--after", "fuse", "--list"], "not allowed with"),
        (["passes", "--", "x"], "takes no arguments"),
        (["nonsense"], "invalid choice"),
    ],
)
def test_wrong_usage(argv, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(argv, io.StringIO())
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_what_does_not_exist(script, capsys):
    for argv, message in (
        (["dump-ir", "nowhere.py"], "no such file: nowhere.py"),
        (["dump-ir", "nowhere.ir"], "nowhere.ir"),
        (["dump-ir", script, "--after", "magic"], "no pass 'magic' ran; these did: lower, simpl"),
        (["dump-ir", script, "--before", "lower"], "nothing stands before lower"),
        (["dump-ir", script, "--signature", "99"], "no signature 99"),
    ):
        assert main(argv, io.StringIO()) == 2
        assert message in capsys.readouterr().err


def test_passes():
    lines = tfc("passes").splitlines()
    shown = [line.split()[0] for line in lines[1 : 1 + len(PIPELINE)]]
    assert shown == [place.name for place in PIPELINE]
    for place, line in zip(PIPELINE, lines[1:], strict=False):
        assert place.reason in line
    for before, after, reason in ORDER:
        assert f"  {before} before {after}: {reason}" in lines


def test_info():
    facts = dict(re.split(r": +", line, maxsplit=1) for line in tfc("info").splitlines())
    assert facts["tfc"] == VERSION
    assert re.fullmatch(r"\d+\.\d+\.\d+", facts["LLVM"])
    assert re.fullmatch(r"(128|256|512) bits", facts["vector width"])
    assert int(facts["threads"]) >= 1
    assert facts["CPU"] and facts["target"]


def test_version():
    done = subprocess.run(
        [sys.executable, "-m", "tfc", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    assert done.stdout == f"tfc {VERSION}\n"
