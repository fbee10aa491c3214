"""W4: softmax regression trained by SGD, fed from numpy, the loss fetched."""

from __future__ import annotations

import perceptron

TITLE = "W4, softmax regression step"
UNIT, SCALE = "us a step", 1e6
SIZES = (
    {"batch": 128, "inputs": 784, "classes": 10},
    {"batch": 65, "inputs": 785, "classes": 11},
    {"batch": 127, "inputs": 787, "classes": 7},
)
TOLERANCE = 1e-3


def per(**_):
    """Steps of a call."""
    return perceptron.STEPS


def layers(inputs, classes):
    return inputs, classes


def cost(batch, **size):
    return perceptron.cost(batch, layers(**size))


ENTRIES = perceptron.entries(layers, rate=0.01, adam=False)
