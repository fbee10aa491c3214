"""What layers take by name: activations and initializers, as Keras has them.

https://www.tensorflow.org/versions/r1.15/api_docs/python/tf/keras/activations
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.framework.graph import Tensor
from tfc.framework.opdef import apply
from tfc.ops import init_ops
from tfc.ops.clip_ops import clip_by_value
from tfc.ops.nn_functions import softmax
from tfc.ops.unary_api import exp, sigmoid, tanh

Activation = Callable[..., Any]


def _hard_sigmoid(x: Tensor) -> Tensor:
    """0 below -2.5, 1 above 2.5, a line between them."""
    return clip_by_value(x * 0.2 + 0.5, 0.0, 1.0)


def _of_op(op_type: str) -> Activation:
    return lambda x: apply(op_type, x)


ACTIVATIONS: dict[str, Activation] = {
    "elu": _of_op("Elu"),
    "exponential": exp,
    "hard_sigmoid": _hard_sigmoid,
    "linear": lambda x: x,
    "relu": _of_op("Relu"),
    "selu": _of_op("Selu"),
    "sigmoid": sigmoid,
    "softmax": softmax,
    "softplus": _of_op("Softplus"),
    "softsign": _of_op("Softsign"),
    "tanh": tanh,
}

INITIALIZERS: dict[str, Callable[[], Any]] = {
    "constant": init_ops.Constant,
    "glorot_normal": init_ops.GlorotNormal,
    "glorot_uniform": init_ops.GlorotUniform,
    "he_normal": init_ops.he_normal,
    "he_uniform": init_ops.he_uniform,
    "identity": init_ops.Identity,
    "lecun_normal": init_ops.lecun_normal,
    "lecun_uniform": init_ops.lecun_uniform,
    "normal": lambda: init_ops.RandomNormal(stddev=0.05),
    "ones": init_ops.Ones,
    "orthogonal": init_ops.Orthogonal,
    "random_normal": lambda: init_ops.RandomNormal(stddev=0.05),
    "random_uniform": lambda: init_ops.RandomUniform(-0.05, 0.05),
    "truncated_normal": lambda: init_ops.TruncatedNormal(stddev=0.05),
    "uniform": lambda: init_ops.RandomUniform(-0.05, 0.05),
    "variance_scaling": init_ops.VarianceScaling,
    "zeros": init_ops.Zeros,
}


def activation_of(value: Any) -> Activation | None:
    """The activation that a layer was given: a function, the name of one, or none.

    Raises:
      ValueError: no activation has this name.
      TypeError: neither function nor name.
    """
    if isinstance(value, str):
        if value not in ACTIVATIONS:
            raise ValueError(f"Unknown activation function:{value}")
        return ACTIVATIONS[value]
    if value is not None and not callable(value):
        raise TypeError(f"Could not interpret activation function identifier: {value!r}")
    found: Activation | None = value
    return found


def initializer_of(value: Any) -> Any:
    """The initializer that a layer was given, which may be the name of one.

    Raises:
      ValueError: no initializer has this name.
    """
    if not isinstance(value, str):
        return value
    if value not in INITIALIZERS:
        raise ValueError(f"Unknown initializer: {value}")
    return INITIALIZERS[value]()
