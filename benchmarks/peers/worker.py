"""One process of one framework: makes workloads and times them when it is told to.

Reads requests, a JSON object a line, and answers each with one. Between requests it sleeps.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Run = Callable[[], Any]


# Seconds as they pass, or those that the process's threads had of a processor: on a machine shared
# with others, these say more of code that runs on one thread.
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def seconds_per_call(run: Run, least: float, clock: str) -> float:
    """Mean seconds of one call, over as many calls as take `least` seconds."""
    calls, now = 0, CLOCKS[clock]
    start = now()
    while True:
        run()
        calls += 1
        elapsed = now() - start
        if elapsed >= least:
            return elapsed / calls


class Worker:
    """Holds the workloads of one row and size."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}

    def version(self, module: str) -> dict[str, Any]:
        return {"version": importlib.import_module(module).__version__}

    def forget(self) -> dict[str, Any]:
        self.runs.clear()
        gc.collect()
        return {}

    def make(self, row: str, entry: str, size: dict[str, int]) -> dict[str, Any]:
        """Make it and call it twice: what the first call gives, and the seconds of both; making and
        compiling is part of the first."""
        start = time.perf_counter()
        module = importlib.import_module(row)
        run = module.ENTRIES[entry](**size)
        result = run()
        if hasattr(module, "summary"):
            result = module.summary(result)
        values = np.asarray(result, np.float64).ravel()
        middle = time.perf_counter()
        run()
        second = time.perf_counter() - middle
        self.runs[entry] = run
        return {"values": values.tolist(), "first": middle - start, "second": second}

    def time(self, entry: str, least: float, clock: str) -> dict[str, Any]:
        return {"seconds": seconds_per_call(self.runs[entry], least, clock)}


def main() -> None:
    # frameworks print what they like to stdout: it goes to stderr, answers go out by themselves
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        worker = Worker()
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = getattr(worker, request.pop("do"))(**request)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
            with contextlib.suppress(BrokenPipeError):
                print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
