"""W6 heavy: exponentials, logarithms and tangents, element by element."""

from __future__ import annotations

import elementwise

TITLE = "W6, tanh exp sigmoid log1p"
UNIT, SCALE = "ms a run", 1e3
SIZES = ({"elements": 10_000_000}, {"elements": 1_000_001}, {"elements": 999_983})
TOLERANCE = 1e-5
summary = elementwise.summary


def per(**_):
    return 1


def cost(elements):
    return 0, 8 * elements


def formula(tanh, exp, sigmoid, log1p, absolute, **_):
    return lambda x: tanh(1.5 * x + 0.1) * exp(-x * x) + sigmoid(x) * log1p(absolute(x))


ENTRIES = elementwise.entries(formula)
