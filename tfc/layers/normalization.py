"""tf.layers.BatchNormalization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.variables import VariableAggregation, VariableSynchronization
from tfc.layers import renorm as batch_renorm
from tfc.layers.base import Layer
from tfc.layers.branches import branch, known
from tfc.layers.input_spec import InputSpec
from tfc.layers.moving import add_to_average
from tfc.layers.windows import ZEROS
from tfc.ops import nn_functions
from tfc.ops.array_ops import (
    concat,
    constant,
    identity,
    ones_like,
    reshape,
    shape,
    stop_gradient,
    zeros_like,
)
from tfc.ops.batch_norm_ops import fused_batch_norm
from tfc.ops.cast_ops import cast
from tfc.ops.init_ops import Ones
from tfc.ops.reduction_ops import reduce_mean

ONES = Ones()
_HALF = (dtypes.float16, dtypes.bfloat16)
_SINGLE = ("float16", "bfloat16", "float32", None)  # what the fused op takes
_CLIPPING = ("rmax", "rmin", "dmax")


class BatchNormalization(Layer):
    """The inputs, less their mean and divided by their standard deviation over all axes but `axis`,
    times `gamma`, plus `beta`.

    Called with `training=True` the statistics are those of the batch, and the ops that add them to
    `moving_mean` and `moving_variance` are put into the collection `UPDATE_OPS`; else the moving
    averages are the statistics. `training` may be a bool tensor.

    axis: an axis or several, whose places each have statistics of their own. momentum: how much of
    the moving averages stays. epsilon: added to the variance. center, scale: whether there are
    `beta` and `gamma`. fused: whether images are normalized by the fused op, whose moving variance
    is that of the unbiased estimate; where it can be if None. virtual_batch_size: how many samples
    have statistics in common. adjustment: a function from the shape of the inputs to (scale, bias),
    used in training only. renorm, renorm_clipping, renorm_momentum: batch renormalization, which
    corrects towards moving averages, within bounds `rmax`, `rmin`, `dmax`.

    Raises:
      ValueError: options that exclude each other; when called, an axis that the inputs do not have,
      or whose extent is not known.
      TypeError: axis is no integer and no list.

    Source: tensorflow/python/keras/layers/normalization.py.
    """

    def __init__(
        self,
        axis: Any = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = ZEROS,
        gamma_initializer: Any = ONES,
        moving_mean_initializer: Any = ZEROS,
        moving_variance_initializer: Any = ONES,
        beta_regularizer: Callable[..., Any] | None = None,
        gamma_regularizer: Callable[..., Any] | None = None,
        beta_constraint: Callable[..., Any] | None = None,
        gamma_constraint: Callable[..., Any] | None = None,
        renorm: bool = False,
        renorm_clipping: dict[str, Any] | None = None,
        renorm_momentum: float = 0.99,
        fused: bool | None = None,
        trainable: bool = True,
        virtual_batch_size: int | None = None,
        adjustment: Callable[..., Any] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, trainable=trainable, **kwargs)
        if not isinstance(axis, int | list | tuple):
            raise TypeError(f"axis must be int or list, type given: {type(axis)}")
        self.axis: Any = [axis] if isinstance(axis, int) else list(axis)
        self.momentum, self.epsilon, self.center, self.scale = momentum, epsilon, center, scale
        self.beta_initializer, self.gamma_initializer = beta_initializer, gamma_initializer
        self.moving_mean_initializer = moving_mean_initializer
        self.moving_variance_initializer = moving_variance_initializer
        self.beta_regularizer, self.gamma_regularizer = beta_regularizer, gamma_regularizer
        self.beta_constraint, self.gamma_constraint = beta_constraint, gamma_constraint
        self.renorm, self.renorm_momentum = renorm, renorm_momentum
        self.renorm_clipping = renorm_clipping or {}
        if renorm and set(self.renorm_clipping) - set(_CLIPPING):
            raise ValueError(f"renorm_clipping {renorm_clipping} contains keys not in {_CLIPPING}")
        self.fused = True if fused is None else fused
        self.virtual_batch_size, self.adjustment = virtual_batch_size, adjustment
        self.input_spec: Any = None
        self.gamma: Any = None
        self.beta: Any = None

    # ---- variables

    def build(self, input_shape: Any) -> None:
        dims = TensorShape(input_shape)
        if dims.ndims is None:
            raise ValueError(f"Input has undefined rank: {dims}")
        self._check_axes(dims.ndims)
        self._check_virtual_batches()
        self.fused = self.fused and self._can_be_fused(dims.ndims)
        extents = {axis: dims.as_list()[axis] for axis in self.axis}
        if None in extents.values():
            raise ValueError(f"Input has undefined `axis` dimension. Input shape: {dims}")
        self.input_spec = InputSpec(ndim=dims.ndims, axes=extents)
        if len(extents) == 1 and self.virtual_batch_size is None:
            self._param_shape = list(extents.values())
        else:
            self._param_shape = [extents.get(axis, 1) for axis in range(dims.ndims)]
            if self.virtual_batch_size is not None:
                # The batch becomes two axes: places in a virtual batch, virtual batches.
                self._param_shape.insert(1, 1)
                self.axis = [axis + 1 for axis in self.axis]
        self._make_trained()
        self.moving_mean = self.make_moving("moving_mean", self.moving_mean_initializer)
        variance_initializer = self.moving_variance_initializer
        self.moving_variance = self.make_moving("moving_variance", variance_initializer)
        if self.renorm:
            batch_renorm.make_variables(self)
        self.built = True

    def _check_axes(self, rank: int) -> None:
        axes = [axis + rank if axis < 0 else axis for axis in self.axis]
        for axis, given in zip(axes, self.axis, strict=True):
            if not 0 <= axis < rank:
                raise ValueError(f"Invalid axis: {given}")
        if len(set(axes)) != len(axes):
            raise ValueError(f"Duplicate axis: {self.axis}")
        self.axis = axes

    def _check_virtual_batches(self) -> None:
        if self.virtual_batch_size is None:
            return
        if self.virtual_batch_size <= 0:
            raise ValueError(
                "virtual_batch_size must be a positive integer that divides the true batch size "
                f"of the input tensor. Received: {self.virtual_batch_size}"
            )
        if 0 in self.axis:
            raise ValueError(
                "When using virtual_batch_size, the batch dimension must be 0 and thus axis cannot "
                f"include 0. Received axis={self.axis}"
            )
        if self.adjustment is not None:
            raise ValueError("When using virtual_batch_size, adjustment cannot be specified")

    def _can_be_fused(self, rank: int) -> bool:
        plain = not self.renorm and self.virtual_batch_size is None and self.adjustment is None
        return rank == 4 and plain and self.axis in ([1], [3]) and self.dtype in _SINGLE

    @property
    def _param_dtype(self) -> Any:
        if self.dtype in ("float16", "bfloat16"):
            return dtypes.float32
        return dtypes.as_dtype(self.dtype or dtypes.float32)

    def _make_trained(self) -> None:
        if self.scale:
            self.gamma = self.add_weight(
                "gamma",
                shape=self._param_shape,
                dtype=self._param_dtype,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                "beta",
                shape=self._param_shape,
                dtype=self._param_dtype,
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )

    def make_moving(self, name: str, initializer: Any) -> Any:
        """A variable of the shape of the statistics that is not trained."""
        return self.add_weight(
            name,
            shape=self._param_shape,
            dtype=self._param_dtype,
            initializer=initializer,
            synchronization=VariableSynchronization.ON_READ,
            trainable=False,
            aggregation=VariableAggregation.MEAN,
        )

    # ---- what it computes

    def call(self, inputs: Any, training: Any = False) -> Tensor:
        """training: a bool, or a bool tensor."""
        if self.virtual_batch_size is None:
            return self._fused(inputs, training) if self.fused else self._plain(inputs, training)
        whole = concat([constant([-1]), shape(inputs)[1:]], axis=0)
        split = concat([constant([self.virtual_batch_size, -1]), whole[1:]], axis=0)
        known_shape = inputs.get_shape()
        inputs = reshape(inputs, split)
        inputs.set_shape([self.virtual_batch_size, None, *known_shape.as_list()[1:]])
        outputs = reshape(self._plain(inputs, training), whole)
        outputs.set_shape(known_shape)
        return outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def _fused(self, inputs: Tensor, training: Any) -> Tensor:
        channels = self._param_shape
        beta = self.beta if self.center else constant(0.0, self._param_dtype, channels)
        gamma = self.gamma if self.scale else constant(1.0, self._param_dtype, channels)
        layout = "NCHW" if self.axis == [1] else "NHWC"

        def of_batch() -> tuple[Tensor, ...]:
            return fused_batch_norm(inputs, gamma, beta, epsilon=self.epsilon, data_format=layout)

        def of_averages() -> tuple[Tensor, ...]:
            return fused_batch_norm(
                inputs,
                gamma,
                beta,
                mean=self.moving_mean,
                variance=self.moving_variance,
                epsilon=self.epsilon,
                is_training=False,
                data_format=layout,
            )

        outputs, mean, variance = branch(training, of_batch, of_averages)
        outputs.set_shape(inputs.get_shape())
        decided = known(training)
        if decided is not False:
            momentum = branch(
                True if decided else training,
                lambda: convert_to_tensor(self.momentum),
                lambda: convert_to_tensor(1.0),
            )
            self.add_update(add_to_average(self.moving_mean, mean, momentum), inputs)
            self.add_update(add_to_average(self.moving_variance, variance, momentum), inputs)
        return outputs

    def _plain(self, inputs: Tensor, training: Any) -> Tensor:
        given = inputs.dtype.base_dtype
        if given in _HALF:
            inputs = cast(inputs, dtypes.float32)
        known_shape, rank = inputs.get_shape(), len(inputs.get_shape().as_list())
        axes = [i for i in range(rank) if i not in self.axis]
        if self.virtual_batch_size is not None:
            del axes[1]  # each virtual batch has statistics of its own
        scale, offset = self._along(self.gamma, axes, rank), self._along(self.beta, axes, rank)
        if known(training) is False:
            mean, variance = self.moving_mean, self.moving_variance
        else:
            if self.adjustment is not None:
                scale, offset = self._adjusted(inputs, training, scale, offset)
            mean, variance = self._statistics(inputs, axes, training)
            new_mean, new_variance = mean, variance
            if self.virtual_batch_size is not None:
                new_mean = reduce_mean(mean, axis=1, keepdims=True)
                new_variance = reduce_mean(variance, axis=1, keepdims=True)
            if self.renorm:
                r, d, new_mean, new_variance = batch_renorm.correction(
                    self, new_mean, new_variance, training
                )
                r = self._along(stop_gradient(r, name="renorm_r"), axes, rank)
                d = self._along(stop_gradient(d, name="renorm_d"), axes, rank)
                scale, offset = _composed(r, d, scale, offset)
            self._update(new_mean, new_variance, training, inputs)
        mean, variance = cast(mean, inputs.dtype), cast(variance, inputs.dtype)
        outputs = nn_functions.batch_normalization(
            inputs,
            self._along(mean, axes, rank),
            self._along(variance, axes, rank),
            None if offset is None else cast(offset, inputs.dtype),
            None if scale is None else cast(scale, inputs.dtype),
            self.epsilon,
        )
        if given in _HALF:
            outputs = cast(outputs, given)
        outputs.set_shape(known_shape)
        return outputs

    def _along(self, vector: Any, axes: list[int], rank: int) -> Any:
        """Numbers of one axis in a shape that broadcasts over the inputs."""
        if vector is None or len(vector.get_shape().as_list()) == rank:
            return vector
        if axes == list(range(rank - 1)):
            return vector
        dims = [1] * rank
        dims[self.axis[0]] = self._param_shape[0]
        return reshape(vector, dims)

    def _statistics(self, inputs: Tensor, axes: list[int], training: Any) -> tuple[Any, Any]:
        """Mean and variance of the batch in training, else the moving averages. As the averages do
        not move towards themselves, the updates need not know which."""
        keep = self.virtual_batch_size is not None or len(self.axis) > 1
        wide = cast(inputs, self._param_dtype)
        mean, variance = branch(
            training,
            lambda: nn_functions.moments(wide, axes, keepdims=keep),
            lambda: (identity(self.moving_mean), identity(self.moving_variance)),
        )
        return mean, variance

    def _adjusted(self, inputs: Tensor, training: Any, scale: Any, offset: Any) -> tuple[Any, Any]:
        assert self.adjustment is not None
        factor, more = self.adjustment(shape(inputs))
        factor = branch(training, lambda: factor, lambda: ones_like(factor))
        more = branch(training, lambda: more, lambda: zeros_like(more))
        return _composed(factor, more, scale, offset)

    def _update(self, mean: Tensor, variance: Tensor, training: Any, inputs: Tensor) -> None:
        self.add_update(add_to_average(self.moving_mean, mean, self.momentum), inputs)
        if self.renorm:
            update = batch_renorm.update_variance(self, variance, training)
        else:
            update = add_to_average(self.moving_variance, variance, self.momentum)
        self.add_update(update, inputs)


def _composed(scale: Any, offset: Any, then_scale: Any, then_offset: Any) -> tuple[Any, Any]:
    """One map `x scale + offset` after another one."""
    if then_scale is not None:
        scale, offset = scale * then_scale, offset * then_scale
    return scale, offset if then_offset is None else offset + then_offset
