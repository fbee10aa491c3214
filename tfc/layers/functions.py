"""Layers as functions: a layer that is made, called once, and found again by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from tfc.framework.graph import Tensor
from tfc.layers import conv, conv_transpose, core, pooling, separable
from tfc.layers.base import Layer
from tfc.layers.normalization import ONES, BatchNormalization
from tfc.layers.windows import ZEROS

_KIND = inspect.Parameter.POSITIONAL_OR_KEYWORD


def _function(layer: type[Layer], name: str, reuse: bool = True) -> Callable[..., Tensor]:
    """A function of the inputs and of the arguments of the layer; with `reuse`, one that can share
    variables that are there already."""
    own = list(inspect.signature(layer.__init__).parameters.values())[1:-1]
    parameters = [inspect.Parameter("inputs", _KIND, annotation=Any), *own]
    if reuse:
        parameters.append(inspect.Parameter("reuse", _KIND, default=None, annotation=Any))
    signature = inspect.Signature(parameters, return_annotation=Tensor)

    def function(*args: Any, **kwargs: Any) -> Tensor:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{name}() {error}") from None
        inputs = given.pop("inputs")
        if reuse:
            given["_reuse"], given["_scope"] = given.pop("reuse", None), given.get("name")
        result: Tensor = layer(**given)(inputs)
        return result

    function.__name__ = function.__qualname__ = name
    function.__signature__ = signature  # type: ignore[attr-defined]
    again = (
        """

    reuse: whether the variables of the layer are found in the scope `name`, and not made."""
        if reuse
        else ""
    )
    function.__doc__ = f"""`tf.layers.{layer.__name__}` of the same arguments, called with `inputs`.
    {again}
    Raises:
      ValueError, TypeError: as the layer does.
    """
    return function


dense = _function(core.Dense, "dense")
conv1d = _function(conv.Conv1D, "conv1d")
conv2d = _function(conv.Conv2D, "conv2d")
conv3d = _function(conv.Conv3D, "conv3d")
conv2d_transpose = _function(conv_transpose.Conv2DTranspose, "conv2d_transpose")
conv3d_transpose = _function(conv_transpose.Conv3DTranspose, "conv3d_transpose")
separable_conv1d = _function(separable.SeparableConv1D, "separable_conv1d")
separable_conv2d = _function(separable.SeparableConv2D, "separable_conv2d")
average_pooling1d = _function(pooling.AveragePooling1D, "average_pooling1d", reuse=False)
average_pooling2d = _function(pooling.AveragePooling2D, "average_pooling2d", reuse=False)
average_pooling3d = _function(pooling.AveragePooling3D, "average_pooling3d", reuse=False)
max_pooling1d = _function(pooling.MaxPooling1D, "max_pooling1d", reuse=False)
max_pooling2d = _function(pooling.MaxPooling2D, "max_pooling2d", reuse=False)
max_pooling3d = _function(pooling.MaxPooling3D, "max_pooling3d", reuse=False)


def flatten(inputs: Any, name: str | None = None, data_format: str = "channels_last") -> Tensor:
    """`tf.layers.Flatten`, called with `inputs`."""
    result: Tensor = core.Flatten(name=name, data_format=data_format)(inputs)
    return result


def dropout(
    inputs: Any,
    rate: Any = 0.5,
    noise_shape: Any = None,
    seed: int | None = None,
    training: Any = False,
    name: str | None = None,
) -> Tensor:
    """`tf.layers.Dropout`, called with `inputs` and `training`."""
    layer = core.Dropout(rate, noise_shape=noise_shape, seed=seed, name=name)
    result: Tensor = layer(inputs, training=training)
    return result


def batch_normalization(
    inputs: Any,
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
    training: Any = False,
    trainable: bool = True,
    name: str | None = None,
    reuse: bool | None = None,
    renorm: bool = False,
    renorm_clipping: dict[str, Any] | None = None,
    renorm_momentum: float = 0.99,
    fused: bool | None = None,
    virtual_batch_size: int | None = None,
    adjustment: Callable[..., Any] | None = None,
) -> Tensor:
    """`tf.layers.BatchNormalization`, called with `inputs` and `training`. The ops that update the
    moving averages are in the collection `UPDATE_OPS`; a training step has to run them.

    Raises:
      ValueError, TypeError: as the layer does.
    """
    layer = BatchNormalization(
        axis=axis,
        momentum=momentum,
        epsilon=epsilon,
        center=center,
        scale=scale,
        beta_initializer=beta_initializer,
        gamma_initializer=gamma_initializer,
        moving_mean_initializer=moving_mean_initializer,
        moving_variance_initializer=moving_variance_initializer,
        beta_regularizer=beta_regularizer,
        gamma_regularizer=gamma_regularizer,
        beta_constraint=beta_constraint,
        gamma_constraint=gamma_constraint,
        renorm=renorm,
        renorm_clipping=renorm_clipping,
        renorm_momentum=renorm_momentum,
        fused=fused,
        trainable=trainable,
        virtual_batch_size=virtual_batch_size,
        adjustment=adjustment,
        name=name,
        _reuse=reuse,
        _scope=name,
    )
    result: Tensor = layer(inputs, training=training)
    return result
