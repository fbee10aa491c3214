"""What `import tfc` does to Python's collector of cyclic garbage, each in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CYCLE = """
import gc, weakref
class Node:
    pass
def cycle():
    node = Node()
    node.itself = node
    return weakref.ref(node)
"""


def run(program: str) -> str:
    command = [sys.executable, "-c", CYCLE + program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_import_makes_is_set_aside_until_the_next_full_collection() -> None:
    said = run("""
own = gc.get_freeze_count()  # of Python 3.12; before it and after none
before = cycle()
import tfc
print(gc.get_freeze_count() > 10_000, gc.isenabled())
gc.collect(1)
print(gc.get_freeze_count() > 10_000)
after = cycle()
gc.collect()
print(gc.get_freeze_count() - own, before(), after())
""")
    assert said.split() == ["True", "True", "True", "0", "None", "None"]


def test_what_the_program_has_set_aside_stays_there() -> None:
    said = run("""
gc.collect()
gc.freeze()
count = gc.get_freeze_count()
import tfc
print(count - 100 < gc.get_freeze_count() <= count)
gc.unfreeze()
""")
    assert said.split() == ["True"]
    said = run("""
import tfc
kept = [[] for _ in range(1000)]
gc.freeze()
gc.collect()
print(gc.get_freeze_count() > 10_000)
""")
    assert said.split() == ["True"]


def test_a_collector_that_is_off_stays_off() -> None:
    assert run("gc.disable()\nimport tfc\nprint(gc.isenabled())").split() == ["False"]


def test_the_end_of_the_process_finds_garbage_of_the_program() -> None:
    said = run("""
import os
import tfc
def end(self, write=os.write):
    write(1, b"ended")
Node.__del__ = end
cycle()
""")
    assert said == "ended"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_collects_though_another_thread_did_not() -> None:
    said = run("""
import os, sys, threading
from tfc.base.collector import no_collections
inside, over = threading.Event(), threading.Event()
def work():
    with no_collections():
        inside.set()
        over.wait()
thread = threading.Thread(target=work)
thread.start()
inside.wait()
child = os.fork()
if not child:
    with no_collections():
        pass
    os._exit(0 if gc.isenabled() else 3)
print(os.waitpid(child, 0)[1], gc.isenabled())
over.set()
thread.join()
print(gc.isenabled())
""")
    assert said.split() == ["0", "False", "True"]
