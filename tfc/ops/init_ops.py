"""Initializers: objects that give a variable's initial value for a shape and a dtype.

Names of classes, arguments, defaults and the numbers drawn are TensorFlow 1's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.framework import variable_store
from tfc.framework.graph import Tensor
from tfc.ops import const_ops, random_ops, shape_ops
from tfc.ops.orthogonal import orthonormal_rows

# The standard deviation of a normal distribution cut off at two of its own.
_TRUNCATED_STDDEV = 0.87962566103423978


class Initializer:
    """Base of all initializers: called with a shape, they return a tensor."""

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal initializer."""
        return {
            k: v.name if isinstance(v, DType) else v
            for k, v in self.__dict__.items()
            if k[0] != "_"
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        return cls(**config)


def _dims(shape: Any) -> list[int]:
    return [int(d) for d in shape] if hasattr(shape, "__iter__") else [int(shape)]


class _Filled(Initializer):
    _number = 0

    def __init__(self, dtype: Any = dtypes.float32):
        self.dtype = dtypes.as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        wanted = self.dtype if dtype is None else dtypes.as_dtype(dtype)
        make = const_ops.ones if self._number else const_ops.zeros
        return make(_dims(shape), wanted)


class Zeros(_Filled):
    """Zeros."""


class Ones(_Filled):
    """Ones."""

    _number = 1


class Constant(Initializer):
    """A number, or a list of them that is continued with its last element."""

    def __init__(self, value: Any = 0, dtype: Any = dtypes.float32, verify_shape: bool = False):
        if not (np.isscalar(value) or isinstance(value, list | tuple | np.ndarray)):
            raise TypeError(
                f"Invalid type for initial value: {type(value)} (expected Python scalar, list or "
                "tuple of values, or numpy.ndarray)."
            )
        self.value, self.dtype = value, dtypes.as_dtype(dtype)
        self._verify_shape = verify_shape  # no part of the configuration, in TensorFlow either

    def __call__(
        self,
        shape: Any,
        dtype: Any = None,
        partition_info: Any = None,
        verify_shape: bool | None = None,
    ) -> Tensor:
        return const_ops.constant(
            self.value,
            dtype=self.dtype if dtype is None else dtypes.as_dtype(dtype),
            shape=_dims(shape),
            verify_shape=self._verify_shape if verify_shape is None else verify_shape,
        )


class RandomUniform(Initializer):
    """Uniform in [minval, maxval)."""

    def __init__(
        self,
        minval: Any = 0,
        maxval: Any = None,
        seed: int | None = None,
        dtype: Any = dtypes.float32,
    ):
        self.minval, self.maxval, self.seed = minval, maxval, seed
        self.dtype = dtypes.as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        wanted = self.dtype if dtype is None else dtypes.as_dtype(dtype)
        top = 1 if self.maxval is None and wanted.is_floating else self.maxval
        return random_ops.random_uniform(shape, self.minval, top, wanted, seed=self.seed)


class RandomNormal(Initializer):
    """Normal, of this mean and standard deviation."""

    def __init__(
        self,
        mean: float = 0.0,
        stddev: float = 1.0,
        seed: int | None = None,
        dtype: Any = dtypes.float32,
    ):
        self.mean, self.stddev, self.seed = mean, stddev, seed
        self.dtype = _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        wanted = self.dtype if dtype is None else dtypes.as_dtype(dtype)
        return random_ops.random_normal(shape, self.mean, self.stddev, wanted, seed=self.seed)


class TruncatedNormal(RandomNormal):
    """Normal, values further than two standard deviations drawn again."""

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        wanted = self.dtype if dtype is None else dtypes.as_dtype(dtype)
        return random_ops.truncated_normal(shape, self.mean, self.stddev, wanted, seed=self.seed)


class UniformUnitScaling(Initializer):
    """Uniform, scaled so that the variance of the input is kept: ±factor sqrt(3 / inputs)."""

    def __init__(self, factor: float = 1.0, seed: int | None = None, dtype: Any = dtypes.float32):
        self.factor, self.seed, self.dtype = factor, seed, _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        wanted = self.dtype if dtype is None else dtypes.as_dtype(dtype)
        dims = _dims(shape)
        inputs = max(math.prod(float(d) for d in dims[:-1]), 1.0)
        limit = math.sqrt(3 / inputs) * self.factor
        return random_ops.random_uniform(dims, -limit, limit, wanted, seed=self.seed)


class VarianceScaling(Initializer):
    """Of variance scale / n, where n is the number of inputs, of outputs, or their mean.

    mode: fan_in, fan_out or fan_avg. distribution: normal (that is truncated_normal),
    untruncated_normal or uniform.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        dtype: Any = dtypes.float32,
    ):
        if scale <= 0.0:
            raise ValueError("`scale` must be positive float.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError("Invalid `mode` argument:", mode)
        distribution = distribution.lower()
        if distribution not in ("uniform", "normal", "truncated_normal", "untruncated_normal"):
            raise ValueError("Invalid `distribution` argument:", distribution)
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.seed, self.dtype = seed, _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        wanted = self.dtype if dtype is None else dtypes.as_dtype(dtype)
        full = shape if partition_info is None else partition_info.full_shape
        inputs, outputs = fans(_dims(full))
        count = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2.0}
        variance = self.scale / max(1.0, count[self.mode])
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return random_ops.random_uniform(shape, -limit, limit, wanted, seed=self.seed)
        if self.distribution == "untruncated_normal":
            return random_ops.random_normal(shape, 0.0, math.sqrt(variance), wanted, seed=self.seed)
        stddev = math.sqrt(variance) / _TRUNCATED_STDDEV
        return random_ops.truncated_normal(shape, 0.0, stddev, wanted, seed=self.seed)


class Identity(Initializer):
    """The identity matrix times `gain`; only for shapes of rank 2."""

    def __init__(self, gain: float = 1.0, dtype: Any = dtypes.float32):
        self.gain, self.dtype = gain, _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        dims = _dims(shape)
        if len(dims) != 2:
            raise ValueError("Identity matrix initializer can only be used for 2D matrices.")
        wanted = self.dtype if dtype is None else dtypes.as_dtype(dtype)
        return const_ops.constant(np.eye(dims[0], dims[1]) * self.gain, dtype=wanted)


class Orthogonal(Initializer):
    """A matrix with orthonormal rows or columns, times `gain`; dimensions before the last are one.

    It is the Q of a QR decomposition of normal numbers whose R has a positive diagonal.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None, dtype: Any = dtypes.float32):
        self.gain, self.seed, self.dtype = gain, seed, _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        dims = _dims(shape)
        if len(dims) < 2:
            raise ValueError("The tensor to initialize must be at least two-dimensional")
        wanted = self.dtype if dtype is None else dtypes.as_dtype(dtype)
        rows, columns = math.prod(dims[:-1]), dims[-1]
        tall = (max(rows, columns), min(rows, columns))
        normal = random_ops.random_normal(tall, dtype=wanted, seed=self.seed)
        basis = orthonormal_rows(shape_ops.transpose(normal))
        found = shape_ops.transpose(basis) if rows >= columns else basis
        return self.gain * shape_ops.reshape(found, dims)


class GlorotUniform(VarianceScaling):
    """Uniform, of variance 2 / (inputs + outputs)."""

    def __init__(self, seed: int | None = None, dtype: Any = dtypes.float32):
        super().__init__(1.0, "fan_avg", "uniform", seed, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "dtype": self.dtype.name}


class GlorotNormal(VarianceScaling):
    """Truncated normal, of variance 2 / (inputs + outputs)."""

    def __init__(self, seed: int | None = None, dtype: Any = dtypes.float32):
        super().__init__(1.0, "fan_avg", "truncated_normal", seed, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "dtype": self.dtype.name}


def fans(shape: Sequence[int]) -> tuple[float, float]:
    """The numbers of inputs and outputs of a unit with weights of this shape."""
    if not shape:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    window = math.prod(shape[:-2])
    return float(shape[-2] * window), float(shape[-1] * window)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal, of variance 2 / inputs."""
    return VarianceScaling(2.0, "fan_in", "truncated_normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform, of variance 2 / inputs."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal, of variance 1 / inputs."""
    return VarianceScaling(1.0, "fan_in", "truncated_normal", seed)


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform, of variance 1 / inputs."""
    return VarianceScaling(1.0, "fan_in", "uniform", seed)


def _floating(dtype: Any) -> DType:
    found = dtypes.as_dtype(dtype)
    if not found.is_floating:
        raise ValueError(f"Expected floating point type, got {found}.")
    return found


def default_initializer(dtype: DType) -> Initializer | None:
    """What `get_variable` takes where no initializer is named; None for dtypes without one."""
    if dtype.is_floating:
        return glorot_uniform_initializer()
    if dtype.is_integer or dtype.is_bool or dtype == dtypes.string:
        return zeros_initializer()
    return None


zeros_initializer = Zeros
ones_initializer = Ones
constant_initializer = Constant
random_uniform_initializer = RandomUniform
random_normal_initializer = RandomNormal
truncated_normal_initializer = TruncatedNormal
uniform_unit_scaling_initializer = UniformUnitScaling
variance_scaling_initializer = VarianceScaling
glorot_uniform_initializer = GlorotUniform
glorot_normal_initializer = GlorotNormal
identity_initializer = Identity
orthogonal_initializer = Orthogonal
variable_store.install_default_initializer(default_initializer)
