"""tfc and its peers on the same workloads, in turns: `make bench-peers`.

One process for each framework; each workload is made in all of them, their results are compared to
each other, and then each in turn is timed, while the others sleep. Rows are the modules beside this
file that have ENTRIES: for `"jax, a variant"` a function that makes the workload with JAX.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from frameworks import PEERS, install, python_of
from limits import Limits, measured

HERE = Path(__file__).resolve().parent
ROWS = (
    "add", "regression", "mlp", "mlp_loop", "mlp_adam", "softmax", "cnn", "cnn_inference", "heavy",
    "cheap", "products", "lstm", "layer_norm", "logistic", "fresh", "transformer", "nbody",
    "nbody_gradient", "stencil", "stencil_gradient", "layers", "kernels_row",
)  # fmt: skip
REST = 0.3  # seconds between turns: threads that spin after their work (OpenBLAS: long) go to sleep
SLOW = 1.0  # an entry whose call takes more seconds has fewer rounds
SLOW_ROUNDS = 2
RESULTS = HERE.parent / "RESULTS.md"


class Process:
    """A worker of one framework."""

    def __init__(self, name: str, python: str):
        self.name = name
        self.process = subprocess.Popen(
            [python, str(HERE / "worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={
                **os.environ,
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "TF_USE_LEGACY_KERAS": "1",
                "TF_XLA_FLAGS": "--tf_xla_cpu_global_jit",  # for Sessions that ask for it
            },
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request; what is wrong as its `error`."""
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        return json.loads(line) if line else {"error": "the process ended"}

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def start(names: list[str]) -> tuple[dict[str, Process], dict[str, str]]:
    """The processes of the peers, and of tfc; and for each framework its version, or why it is
    absent."""
    processes, versions = {}, {}
    for name in ("tfc", *names):
        why = install(name) if name in PEERS else None
        if why is None:
            python = str(python_of(name)) if name in PEERS else sys.executable
            process = Process(name, python)
            answer = process.ask(do="version", module=PEERS[name].module if name in PEERS else name)
            if "error" not in answer:
                processes[name], versions[name] = process, answer["version"]
                continue
            why = answer["error"]
            process.end()
        versions[name] = f"absent ({why})"
        print(f"{name} is {versions[name]}", flush=True)
    return processes, versions


def made(row: Any, size: dict[str, int], processes: dict[str, Process]) -> dict[str, Any]:
    """The answers of all entries that could be made; their values are equal to ours."""
    answers: dict[str, Any] = {}
    for entry in row.ENTRIES:
        name = entry.split(",")[0]
        if name not in processes:
            continue
        answer = processes[name].ask(do="make", row=row.__name__, entry=entry, size=size)
        if "error" in answer:
            print(f"  {entry}: {answer['error']}", flush=True)
        answers[entry] = answer
    good = {e: np.array(a["values"]) for e, a in answers.items() if "values" in a}
    ours = next((v for e, v in good.items() if e.startswith("tfc")), None)
    if ours is None:
        raise SystemExit(f"{row.TITLE} {size}: tfc cannot run it")
    for entry, values in good.items():
        scale = np.abs(ours).max()
        if values.shape != ours.shape or not np.abs(values - ours).max() <= row.TOLERANCE * scale:
            worst = np.abs(values - ours).max() if values.shape == ours.shape else values.shape
            raise SystemExit(f"{row.TITLE} {size}: {entry} differs from tfc by {worst}")
    return answers


def timed(
    row: Any, size: dict[str, int], processes: dict[str, Process], args: argparse.Namespace
) -> dict[str, list[float]]:
    """Seconds per unit of each entry, a list over the rounds; empty if it could not be made."""
    for process in processes.values():
        process.ask(do="forget")
    answers = made(row, size, processes)
    units = row.per(**size)
    times: dict[str, list[float]] = {e: [] for e in answers}
    for k in range(args.rounds):
        for entry, column in times.items():
            if "error" in answers[entry] or answers[entry]["second"] > SLOW and k >= SLOW_ROUNDS:
                continue
            time.sleep(REST)
            answer = processes[entry.split(",")[0]].ask(
                do="time", entry=entry, least=args.least, clock=args.clock
            )
            column.append(answer["seconds"] / units)
    return times


def ratio(slow: list[float], fast: list[float]) -> tuple[float, float, float]:
    """How many times as fast: the median over the rounds, and the quartiles."""
    ratios = [s / f for s, f in zip(slow, fast, strict=False)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return middle, low, high


def best_of(row: Any, times: dict[str, list[float]], ours: bool) -> str | None:
    beside = getattr(row, "BESIDE", ())
    entries = [e for e in times if times[e] and e.startswith("tfc") == ours and e not in beside]
    return min(entries, key=lambda e: statistics.median(times[e]), default=None)


def line(row: Any, size: dict[str, int], times: dict[str, list[float]], limit: float) -> str:
    """A row of the table; `limit` in seconds."""

    def figure(entry: str) -> str:
        variant = entry.partition(", ")[2]
        text = f"{statistics.median(times[entry]) * row.SCALE:.4g}" if times[entry] else "failed"
        return f"{text} ({variant})" if variant else text

    cells = [f"{row.TITLE}, {' '.join(f'{k}={v}' for k, v in size.items())}; {row.UNIT}"]
    for name in ("tfc", *PEERS):
        cells.append("; ".join(figure(e) for e in times if e.split(",")[0] == name) or "-")
    ours, best = best_of(row, times, True), best_of(row, times, False)
    if ours and best:
        middle, low, high = ratio(times[best], times[ours])
        cells.append(f"**{middle:.2f}** ({low:.2f} to {high:.2f}), {best}")
    else:
        cells.append("-")
    if ours and limit:
        share = limit / statistics.median(times[ours])
        cells.append(f"{limit * row.SCALE:.4g} ({share:.0%})")
    else:
        cells.append("-")
    return "| " + " | ".join(cells) + " |"


def sizes_of(row: Any, count: int) -> list[dict[str, int]]:
    """The first `count` of a row's sizes; where each is a list of them, all of those."""
    found: list[dict[str, int]] = []
    for size in row.SIZES[:count]:
        found += [size] if isinstance(size, dict) else size
    return found


def limit_of(row: Any, size: dict[str, int], limits: Limits) -> float:
    """In seconds; 0 where a row has none."""
    return limits.seconds(*row.cost(**size)) if hasattr(row, "cost") else 0.0


def bar(row: Any, size: dict[str, int], times: dict[str, list[float]], limit: float) -> Any:
    """What the plot shows of a row: the medians of tfc, and of the best variant of each peer."""
    best: dict[str, float] = {}
    for entry in times:
        name, value = entry.split(",")[0], times[entry] and statistics.median(times[entry])
        if value and value < best.get(name, np.inf):
            best[name] = value
    label = f"{row.TITLE} {' '.join(map(str, size.values()))}"
    return {"label": label, "seconds": best, "limit": limit}


def plot(bars: list[Any], path: Path) -> None:
    """Draw the bars with the library that has a virtual environment of its own for it."""
    why = install("plot")
    if why is None:
        command = [str(python_of("plot")), str(HERE / "plot.py"), str(path)]
        subprocess.run(command, input=json.dumps(bars), text=True, check=True)
    else:
        print(f"no plot: {why}", flush=True)


def machine() -> str:
    """The class of machine: the processor's model and the cores this process may use."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [x.partition(":")[2].strip() for x in text.splitlines() if x.startswith("model name")]
    return f"{models[0] if models else 'unknown processor'}, {len(os.sched_getaffinity(0))} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="*", default=ROWS, choices=ROWS)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--sizes", type=int, default=3, help="of each row, the first so many")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--least", type=float, default=0.1, help="seconds of a round")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--clock", default="wall", choices=("wall", "cpu"))
    parser.add_argument("--no-plot", action="store_true")
    parser.add_argument("--no-table", action="store_true", help="of what loops cost")
    args = parser.parse_args()

    limits = measured()
    processes, versions = start(args.peers)
    found = []
    for name in args.rows:
        row = importlib.import_module(name)
        for size in sizes_of(row, args.sizes):
            found.append((row, size, timed(row, size, processes, args)))
            print(line(*found[-1], limit_of(row, size, limits)), flush=True)
    for process in processes.values():
        process.end()
    limits = limits.or_better(measured())

    today = datetime.date.today().isoformat()
    heads = [n if n == "tfc" else f"{n} {versions.get(n, 'left out')}" for n in ("tfc", *PEERS)]
    lines = [
        f"# tfc and its peers, {today}",
        "",
        f"`make bench-peers` on {machine()}. Medians of {args.rounds} rounds in turns, in "
        f"{args.clock} time; the last column is the best peer's time by ours, with the quartiles "
        "over the rounds: above 1, tfc is faster.",
        "",
        f"The limit is what the machine takes for the arithmetic ({limits.operations / 1e9:.0f} "
        f"GFLOP/s) or for reading inputs and writing results ({limits.bytes / 1e9:.1f} GB/s); in "
        "brackets, the share of it that tfc reaches (more than 100% where data stays in cache).",
        "",
        f"| | {' | '.join(heads)} | best peer / tfc | limit |",
        "|---" * (len(PEERS) + 4) + "|",
        *(line(row, size, times, limit_of(row, size, limits)) for row, size, times in found),
    ]
    bars = [
        bar(row, size, times, limit_of(row, size, limits))
        for row, size, times in found
        if size in sizes_of(row, 1)
    ]
    if not args.no_table:
        said = subprocess.run(
            [sys.executable, str(HERE / "linear.py")], capture_output=True, text=True, check=True
        )
        lines += said.stdout.rstrip().splitlines()
    args.results.write_text("\n".join(lines) + "\n")
    if not args.no_plot:
        plot(bars, args.results.with_suffix(".svg"))


if __name__ == "__main__":
    main()
