"""W5 inference: the logits of the convolutional network."""

from __future__ import annotations

import convnet

TITLE = "W5, CNN inference"
UNIT, SCALE = "ms a run", 1e3
GROUPS = tuple(
    [{"batch": batch, **size} for batch in batches]
    for batches, size in (
        ((1, 50), {"side": 28, "first": 32, "second": 64, "dense": 1024}),
        ((1, 33), {"side": 27, "first": 31, "second": 65, "dense": 513}),
        ((1, 47), {"side": 29, "first": 37, "second": 61, "dense": 1021}),
    )
)
SIZES = GROUPS
TOLERANCE = 1e-3
ENTRIES = convnet.INFERENCE


def per(**_):
    return 1


def cost(**size):
    return sum(convnet.products(**size)), 0
