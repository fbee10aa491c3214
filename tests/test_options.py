"""Every environment variable of base/options.py: how it is read, and that it does what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tfc as tf
from tfc import compiler
from tfc.base.options import OPTIONS, Options, options
from tfc.ir.core import Function
from tfc.ir.verify import VerifyError
from tfc.passes import pipeline
from tfc.passes.options import PassOptions

ROOT = Path(__file__).resolve().parent.parent
GIVEN = {
    "threads": ("3", 3),
    "level": ("0", 0),
    "passes": ("-hoist", "-hoist"),
    "check": ("1", 1),
    "fuel": ("7", 7),
    "shuffle": ("5", 5),
    "profile": ("1", 1),
    "cache": ("off", "off"),
    "wait": ("passive", "passive"),
    "fast_run": ("0", 0),
    "array_pool": ("5", 5),
    "tiers": ("0", 0),
}


def test_values_and_defaults() -> None:
    assert set(GIVEN) == set(OPTIONS)
    plain = Options({})
    given = Options({OPTIONS[name].variable: text for name, (text, _) in GIVEN.items()})
    for name, (_, value) in GIVEN.items():
        assert getattr(plain, name) == OPTIONS[name].default
        assert getattr(given, name) == value


@pytest.mark.parametrize("variable, text", [("TFC_FUEL", "much"), ("TFC_WAIT", "eager")])
def test_a_value_that_is_none_names_the_variable(variable: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"{variable}='{text}'"):
        Options({variable: text})


def test_every_option_is_documented() -> None:
    text = (ROOT / "README.md").read_text()
    assert [o.variable for o in OPTIONS.values() if f"`{o.variable}`" not in text] == []


@pytest.fixture
def compilations(fresh_graph: None) -> Iterator[list[compiler.CompilationRecord]]:
    seen: list[compiler.CompilationRecord] = []
    compiler.observers.append(seen.append)
    yield seen
    compiler.observers.remove(seen.append)


def _run() -> np.ndarray:
    """A program with something for every pass to do."""
    x = tf.placeholder(tf.float32, [8, 8])
    y = tf.transpose(tf.transpose(x)) * 1.0 + (tf.exp(x) - tf.exp(x)) * (tf.sin(x) - tf.sin(x))
    with tf.Session() as session:
        result: np.ndarray = session.run(y, {x: np.eye(8)})
    return result


def _passes(record: compiler.CompilationRecord) -> list[str]:
    return [done.name for done in record.passes]


def test_level_and_passes(
    compilations: list[compiler.CompilationRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    for level, passes in ((1, ""), (0, ""), (1, "-simplify,-fuse")):
        monkeypatch.setattr(options, "level", level)
        monkeypatch.setattr(options, "passes", passes)
        np.testing.assert_array_equal(_run(), np.eye(8))
    whole, least, unfused = compilations
    assert _passes(whole)[0] == "simplify" and "parallel" in _passes(whole)
    assert _passes(least) == ["fuse", "schedule", "buffers"]
    assert "simplify" not in _passes(unfused) and "cse" in _passes(unfused)
    kernels = [len(c.code.kernels) for c in compilations]
    assert kernels[0] == 1 and kernels[1] > 1 and kernels[2] > 1


def test_fuel(
    compilations: list[compiler.CompilationRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    for fuel in (None, 0, 1):
        monkeypatch.setattr(options, "fuel", fuel)
        np.testing.assert_array_equal(_run(), np.eye(8))
    most, none, one = (c.passes[0].ops for c in compilations)
    assert most < one < none


def test_check_stops_a_pass_that_breaks_the_function(
    fresh_graph: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cse(fn: Function, given: PassOptions) -> Function:
        return Function(fn.name, fn.params, fn.ops[:-1], fn.results, fn.attrs)

    broken = tuple(replace(p, run=cse) if p.name == "cse" else p for p in pipeline.PIPELINE)
    monkeypatch.setattr(pipeline, "PIPELINE", broken)
    monkeypatch.setattr(options, "check", 1)
    with pytest.raises(VerifyError):
        _run()


def test_shuffle(
    compilations: list[compiler.CompilationRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = set()
    for seed in (None, 1, 2, 3, 4):
        tf.reset_default_graph()
        monkeypatch.setattr(options, "shuffle", seed)
        np.testing.assert_array_equal(_run(), np.eye(8))
        first = compilations[-1].passes[0].fn
        orders.add(tuple(op.defn.name for op in first.ops))
    assert len(orders) > 1


_REPORT = """
import json, sys
import numpy as np
import tfc as tf
from tfc import compiler
from tfc.codegen import native_rt
records = []
compiler.observers.append(records.append)
x = tf.placeholder(tf.float32, [100000])
with tf.Session() as session:
    session.run(tf.exp(x), {x: np.zeros(100000)})
pool = native_rt.the_pool()
emitted = [c.number for c in records if "emit" in c.code.times]
print(json.dumps([pool.policy, pool.workers(), len(records), len(emitted)]))
"""


def _process(**variables: str) -> list[object]:
    """Wait policy, workers, compilations, and those that LLVM had to do, of a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", _REPORT],
        env={**os.environ, **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[object] = json.loads(done.stdout)
    return found


def test_threads_wait_and_cache_of_a_process(tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    assert _process(TFC_THREADS="1", TFC_WAIT="passive", TFC_CACHE=cache) == ["passive", 0, 1, 1]
    stored = sorted((tmp_path / "cache").rglob("*"))
    # A folder, and when it was looked through; the program's compilation and module, the pool.
    assert len(stored) == 2 + 3
    assert _process(TFC_THREADS="2", TFC_WAIT="active", TFC_CACHE=cache) == ["active", 1, 1, 0]
    assert sorted((tmp_path / "cache").rglob("*")) == stored
    assert _process(TFC_THREADS="2", TFC_CACHE="off", XDG_CACHE_HOME=cache) == ["auto", 1, 1, 1]
    assert sorted((tmp_path / "cache").rglob("*")) == stored
