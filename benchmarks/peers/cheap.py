"""W6 cheap: a polynomial and a relu, element by element: the memory's speed."""

from __future__ import annotations

import elementwise

TITLE = "W6, relu((2x + 1)x - 3)"
UNIT, SCALE = "ms a run", 1e3
SIZES = ({"elements": 10_000_000}, {"elements": 1_000_001}, {"elements": 999_983})
TOLERANCE = 1e-5
summary = elementwise.summary


def per(**_):
    return 1


def cost(elements):
    return 0, 8 * elements


def formula(relu, **_):
    return lambda x: relu((2 * x + 1) * x - 3)


ENTRIES = elementwise.entries(formula)
