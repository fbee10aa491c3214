"""Draws the results: python plot.py FILE.svg < bars as JSON."""

from __future__ import annotations

import json
import sys

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

HEIGHT = 0.13  # inches of a bar


def main() -> None:
    bars = json.load(sys.stdin)
    names = sorted({n for b in bars for n in b["seconds"]}, key=lambda n: (n != "tfc", n))
    matplotlib.rcParams.update({"svg.hashsalt": "tfc", "svg.fonttype": "none", "font.size": 7})
    tall = len(bars) * HEIGHT * (len(names) + 1)
    figure, axes = pyplot.subplots(figsize=(8, tall + 1))
    for k, name in enumerate(names):
        places = [(i + k / (len(names) + 1), b["seconds"][name])
                  for i, b in enumerate(bars) if name in b["seconds"]]  # fmt: skip
        axes.barh(*zip(*places, strict=True), height=1 / (len(names) + 1), label=name)
    for i, b in enumerate(bars):
        if b["limit"]:
            axes.plot([b["limit"]] * 2, [i - 0.1, i + 0.8], color="black", linewidth=1)
    axes.plot([], [], color="black", linewidth=1, label="limit of the machine")
    axes.set_yticks([i + 0.35 for i in range(len(bars))], [b["label"] for b in bars])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("seconds (less is better)")
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
