"""Every example runs, from the command line, with few steps, and prints what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
# example -> arguments, pattern that its output must have
RUNS = {
    "linear_regression.py": (["--steps", "600"], r"visits = -102\.\d \* temperature \+ 73[12]\.\d"),
    "softmax_regression.py": (["--steps", "200"], r"test accuracy: 0\.9\d\d"),
    "mlp.py": (["--steps", "400"], r"test accuracy: 0\.9\d\d"),
    "numpy_mlp.py": (["--steps", "400"], r"test accuracy: 0\.9\d\d"),
    "datasets.py": (["--epochs", "6"], r"(?s)30 steps.*test accuracy: 0\.9\d\d"),
    "cnn.py": (["--steps", "60", "--hidden", "64"], r"test accuracy: 0\.[6789]\d\d"),
    "training_loop.py": (
        ["--steps", "600", "--compare"],
        r"(?s)test accuracy: 0\.9\d\d.*equal losses: True",
    ),
    "lstm.py": (["--steps", "200", "--units", "32"], r"test accuracy: 0\.9\d\d"),
    "pendulum.py": (["--steps", "100000"], r"after 100 swings: angle 2\.0000000\d\d"),
    "second_order.py": ([], r"minimum \(1\.000000, 1\.000000\)"),
    "reading_ir.py": ([], r"hero='dot'"),
}


def run(example: str, arguments: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / example), *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=300,
        # numpy's own threads, two for each test process, would wait for each other
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent), "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_example_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(RUNS)


def test_examples_are_short():
    long = {
        p.name: n for p in EXAMPLES.glob("*.py") if (n := len(p.read_text().splitlines())) > 120
    }
    assert long == {}


@pytest.mark.parametrize("example", sorted(RUNS))
def test_example(example: str, tmp_path: Path):
    arguments, pattern = RUNS[example]
    output = run(example, arguments, tmp_path)
    assert re.search(pattern, output), output


def test_readme_example(tmp_path: Path):
    """The README's program prints the line it was given, and compiles to the kernel shown."""
    readme = (EXAMPLES.parent / "README.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", readme, re.S)
    shown = re.search(r"^  %4, %5 = fusion.*?^    }\n", readme, re.S | re.M)
    assert shown is not None
    path = tmp_path / "line.py"
    path.write_text(program)
    dump = ["-m", "tfc", "dump-ir", str(path), "--after", "fuse", "--signature", "2"]
    done = subprocess.run(
        [sys.executable, *dump],
        capture_output=True,
        text=True,
        cwd=EXAMPLES.parent,
        check=True,
        # what is shown is what the passes do by default, and in the order of the program
        env={name: text for name, text in os.environ.items() if not name.startswith("TFC_")},
    )
    assert done.stderr == "y = 3.00 x + 1.00\n"  # a program's own output goes there
    assert shown[0] in done.stdout


def test_demo_compares_with_numpy_and_says_where_the_log_is(tmp_path: Path):
    log = tmp_path / "log"
    arguments = ["--steps", "20", "--compare-numpy", "--compare-steps", "5", "--log-dir", str(log)]
    output = run("mlp.py", arguments, tmp_path)
    assert "bundled 1797" in output
    assert re.search(r"tfc \d+ us, numpy \d+ us: [\d.]+ times as fast", output)
    assert f"TensorBoard log: {log}" in output
    names = sorted(path.name for path in log.iterdir())
    assert names[0] == "checkpoint" and any("tfevents" in name for name in names)
    assert "model.ckpt-20.safetensors" in names


def test_second_order_agrees_with_itself(tmp_path: Path):
    output = run("second_order.py", [], tmp_path)
    rows = re.findall(r"Hessian times v, .*: *\[([^\]]*)\]", output)
    assert len(rows) == 2
    assert [float(x) for x in rows[0].split()] == pytest.approx(
        [float(x) for x in rows[1].split()], rel=1e-6
    )
