"""Compilations of other processes: they are taken up whole, give the same bits, and never where
anything that they depend on is different."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tfc import compiler, recall
from tfc import prims as p
from tfc.base.collector import no_collections
from tfc.base.options import options
from tfc.cache import DiskCache, default_cache
from tfc.codegen.target import host
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Literal, Type
from tfc.ir.structure import function_digest, function_key
from tfc.passes.options import PassOptions

ROOT = Path(__file__).resolve().parent.parent


def make(
    extent: int = 6, bound: float = 4.0, message: str = "{i}: {0}", name: str = "f"
) -> Function:
    """x * table + sum(x), where no x is as large as `bound`."""
    b = Builder(name)
    x = b.param(Type("f32", (extent,)))
    limit = p.broadcast(b, p.const(b, value=Literal(np.float32(bound))), dims=(), shape=(extent,))
    p.assert_(b, p.lt(b, x, limit), x, message=message, code="OutOfRangeError", op="check")
    table = p.const(b, value=Literal(np.arange(extent, dtype="f")))
    total = p.broadcast(b, p.reduce(b, x, dims=(0,), kind="add"), dims=(), shape=(extent,))
    return b.finish([p.add(b, p.mul(b, x, table), total)])


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DiskCache:
    monkeypatch.setattr(options, "cache", str(tmp_path))
    found = default_cache()
    assert found is not None
    return found


def run(executable: compiler.Executable, x: np.ndarray) -> np.ndarray:
    out = np.zeros_like(x)
    executable([x.ctypes.data, out.ctypes.data], 1)
    return out


def was_recalled(executable: compiler.Executable) -> bool:
    return "emit_text" not in executable.code.times


def test_the_second_compilation_is_the_first(store: DiskCache) -> None:
    first = compiler.compile_function(make(), "first")
    second = compiler.compile_function(make(name="another"), "second")
    assert not was_recalled(first) and was_recalled(second)
    x = np.linspace(-1, 1, 6, dtype="f")
    np.testing.assert_array_equal(run(first, x), x * np.arange(6, dtype="f") + x.sum())
    assert run(first, x).tobytes() == run(second, x).tobytes()
    with pytest.raises(compiler.AssertFailed) as failed:
        run(second, x + 9)
    assert (failed.value.code, failed.value.op) == ("OutOfRangeError", "check")
    assert str(failed.value) == "check: 0: 8"
    assert second.code.kernels == first.code.kernels and second.donated == first.donated
    assert second.code.llvm == first.code.llvm and second.has_loops == first.has_loops


def test_whatever_differs_is_compiled(store: DiskCache) -> None:
    made = [make(), make(extent=7), make(bound=-0.0), make(bound=0.0), make(message="no")]
    alive = [compiler.compile_function(fn, "") for fn in made]  # they share kernels
    assert not any(was_recalled(executable) for executable in alive)
    for fn in made:
        assert was_recalled(compiler.compile_function(fn, ""))
    for given in (PassOptions(level=0), PassOptions(passes="-fuse"), PassOptions(shuffle=3)):
        assert not was_recalled(compiler.compile_function(make(), "", given))
    target = replace(host(), l3_bytes=host().l3_bytes // 2)
    assert not was_recalled(compiler.compile_function(make(), "", target=target))


def test_who_wants_to_see_the_passes_sees_them(store: DiskCache) -> None:
    compiler.compile_function(make(), "")
    checked = PassOptions(check=True)
    assert not was_recalled(compiler.compile_function(make(), "", checked)) and checked.records
    assert not was_recalled(compiler.compile_function(make(), "", PassOptions(fuel=100)))
    seen: list[compiler.CompilationRecord] = []
    compiler.observers.append(seen.append)
    try:
        compiler.compile_function(make(), "")
    finally:
        compiler.observers.remove(seen.append)
    assert len(seen[0].passes) > 10 and "emit_text" in seen[0].code.times


@pytest.mark.parametrize("suffix", [".run", ".o"])
def test_damage_means_compiling_again(store: DiskCache, suffix: str) -> None:
    del_first = compiler.compile_function(make(), "")
    x = np.linspace(-1, 1, 6, dtype="f")
    expected = run(del_first, x)
    del del_first
    for entry in store.entries():
        if entry.path.suffix == suffix:
            content = bytearray(entry.path.read_bytes())
            content[-3] ^= 1
            entry.path.write_bytes(content)
    again = compiler.compile_function(make(), "")
    assert not was_recalled(again)
    assert run(again, x).tobytes() == expected.tobytes()
    assert was_recalled(compiler.compile_function(make(), ""))


def test_another_compiler_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def key() -> str | None:
        return recall.key_of(make(), "run_pipeline", PassOptions(), host())

    before = key()
    assert before == key() and before is not None
    monkeypatch.setattr(recall, "OWN_FILES", "edited")
    assert key() != before
    monkeypatch.undo()
    monkeypatch.setattr(recall, "llvm_version", lambda: "0.0")
    assert key() != before


_PROGRAM = """
import json, sys
import numpy as np
import tfc as tf
from tfc.codegen import native
emitted = []
compile_objects = native.compile_objects
native.compile_objects = lambda *given: emitted.append(1) or compile_objects(*given)
tf.set_random_seed(1)
x = tf.placeholder(tf.float32, [4, 3])
w = tf.get_variable("w", [3, 2])
loss = tf.reduce_mean(tf.square(tf.tanh(tf.matmul(x, w))))
train = tf.train.AdamOptimizer(0.1).minimize(loss)
turns = tf.while_loop(lambda i: i < 5, lambda i: i + 1, [tf.constant(0)])
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    feed = {x: np.arange(12).reshape(4, 3) / 12}
    losses = [float(sess.run([train, loss], feed)[1]) for _ in range(3)]
    collected = sess.run_loop([train, loss], 4, feed).values[1].tolist()
    print(json.dumps([len(emitted), losses, collected, int(sess.run(turns))]))
"""


def test_a_warm_process_emits_nothing_and_computes_the_same(tmp_path: Path) -> None:
    def process() -> list:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            env={**os.environ, "TFC_CACHE": str(tmp_path)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    cold, warm = process(), process()
    assert cold[0] > 3 and warm[0] == 0
    assert warm[1:] == cold[1:] and warm[3] == 5


# -- keys


def test_keys_and_digests_see_what_matters() -> None:
    same = [make(), make(name="g")]
    other = [make(extent=7), make(bound=-0.0), make(bound=0.0), make(message="no")]
    assert function_key(same[0]) == function_key(same[1])
    assert function_digest(same[0]) == function_digest(same[1])
    assert len({function_key(f) for f in (*other, same[0])}) == 5
    assert len({function_digest(f) for f in (*other, same[0])}) == 5
    assert function_digest(same[0], "a", "bc") != function_digest(same[0], "ab", "c")


def test_operands_and_results_count() -> None:
    def pair(swap_operands: bool, swap_results: bool) -> Function:
        b = Builder("f")
        x, y = (b.param(Type("f32", (3,))) for _ in range(2))
        d = p.sub(b, y, x) if swap_operands else p.sub(b, x, y)
        s = p.neg(b, x)
        return b.finish([s, d] if swap_results else [d, s])

    made = [pair(a, b) for a in (False, True) for b in (False, True)]
    assert len({function_key(f) for f in made}) == len({function_digest(f) for f in made}) == 4


# -- the collector


def test_the_collector_is_as_it_was_before() -> None:
    assert gc.isenabled()
    with pytest.raises(KeyError), no_collections():
        assert not gc.isenabled()
        with no_collections():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    try:
        with no_collections():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
