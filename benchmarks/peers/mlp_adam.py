"""W3adam: the MLP trained by Adam."""

from __future__ import annotations

import perceptron

TITLE = "W3adam, MLP step, Adam"
UNIT, SCALE = "us a step", 1e6
SIZES = (
    {"batch": 100, "inputs": 784, "first": 128, "second": 32},
    {"batch": 33, "inputs": 785, "first": 129, "second": 31},
    {"batch": 97, "inputs": 787, "first": 127, "second": 31},
)
TOLERANCE = 1e-2  # epsilon stands elsewhere in torch


def per(**_):
    """Steps of a call."""
    return perceptron.STEPS


def layers(inputs, first, second):
    return inputs, first, second, 10


def cost(batch, **size):
    return perceptron.cost(batch, layers(**size))


ENTRIES = perceptron.entries(layers, rate=0.001, adam=True)
