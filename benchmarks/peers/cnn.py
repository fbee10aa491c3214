"""W5: a step of Adam of a convolutional network, fed from numpy, the loss fetched."""

from __future__ import annotations

import convnet

TITLE = "W5, CNN step"
UNIT, SCALE = "ms a step", 1e3
SIZES = (
    {"batch": 50, "side": 28, "first": 32, "second": 64, "dense": 1024},
    {"batch": 33, "side": 27, "first": 31, "second": 65, "dense": 513},
    {"batch": 47, "side": 29, "first": 37, "second": 61, "dense": 1021},
)
TOLERANCE = 1e-2  # epsilon of Adam stands elsewhere in torch
ENTRIES = convnet.TRAINING


def per(**_):
    """Steps of a call."""
    return convnet.STEPS


def cost(**size):
    """Three products a layer, the first but two; Adam reads and writes parameters and moments."""
    products = convnet.products(**size)
    return 3 * sum(products) - products[0], convnet.weights(**size) * 4 * 7
