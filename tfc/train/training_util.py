"""The global step: the int64 variable that counts training steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base.dtypes import int64
from tfc.framework.graph import GraphKeys, Tensor, get_default_graph
from tfc.framework.variables import Variable
from tfc.ops import const_ops


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """The number of steps taken, as the Session has it."""
    return int(np.asarray(sess.run(global_step_tensor)))


def get_global_step(graph: Any = None) -> Any:
    """The global step of a graph, None if it has none.

    Raises:
      TypeError: what goes by its name is not an integer scalar.
    """
    graph = graph or get_default_graph()
    found = graph.get_collection(GraphKeys.GLOBAL_STEP)
    if len(found) == 1:
        step = found[0]
    elif not found:
        try:
            step = graph.get_tensor_by_name("global_step:0")
        except KeyError:
            return None
    else:
        raise ValueError(f"Multiple tensors in global_step collection: {found}")
    assert_global_step(step)
    return step


def assert_global_step(global_step_tensor: Any) -> None:
    """Raises TypeError unless this is a variable or a tensor, an integer scalar."""
    if not isinstance(global_step_tensor, Variable | Tensor):
        raise TypeError(
            f'Existing "global_step" must be a Variable or Tensor: {global_step_tensor}.'
        )
    dtype = global_step_tensor.dtype.base_dtype
    if not dtype.is_integer:
        raise TypeError(f'Existing "global_step" does not have integer type: {dtype}')
    shape = global_step_tensor.get_shape()
    if shape.ndims not in (None, 0):
        raise TypeError(f'Existing "global_step" is not scalar: {shape}')


def create_global_step(graph: Any = None) -> Variable:
    """A new global step, at 0.

    Raises:
      ValueError: there is one already.
    """
    graph = graph or get_default_graph()
    if get_global_step(graph) is not None:
        raise ValueError('"global_step" already exists.')
    with graph.as_default(), graph.name_scope(None):
        return Variable(
            lambda: const_ops.constant(0, dtype=int64, name="zeros"),
            trainable=False,
            name="global_step",
            dtype=int64,
            collections=[GraphKeys.GLOBAL_VARIABLES, GraphKeys.GLOBAL_STEP],
        )


def get_or_create_global_step(graph: Any = None) -> Any:
    """The global step of a graph, made if there is none."""
    graph = graph or get_default_graph()
    found = get_global_step(graph)
    return create_global_step(graph) if found is None else found
