"""What programs for `tensorflow.compat.v1` say first: they ask for what always holds here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from tfc.framework.graph import control_dependencies, get_name_scope, name_scope

_resource_variables = False


def disable_v2_behavior() -> None:
    """Nothing to do: graphs, sessions and TensorFlow 1's shapes and variables are all there is."""


def disable_eager_execution() -> None:
    """Nothing to do: ops are put into the graph, never run when they are made."""


def disable_v2_tensorshape() -> None:
    """Nothing to do: the elements of a TensorShape are Dimensions."""


def disable_tensor_equality() -> None:
    """Nothing to do: `==` of tensors asks whether they are the same tensor."""


def disable_resource_variables() -> None:
    """Take `enable_resource_variables` back."""
    global _resource_variables
    _resource_variables = False


def enable_resource_variables() -> None:
    """What use_resource=True is for one variable, for all: variables are `VariableV2` ops still,
    and what reads one sees the latest write that it depends on."""
    global _resource_variables
    _resource_variables = True


def disable_control_flow_v2() -> None:
    """Nothing to do: conditions and loops are named and run as TensorFlow 1's."""


def control_flow_v2_enabled() -> bool:
    """False."""
    return False


def executing_eagerly_outside_functions() -> bool:
    """False."""
    return False


@contextmanager
def init_scope() -> Iterator[None]:
    """A context whose ops stand outside of all control dependencies, conditions and loops, in the
    current name scope."""
    scope = get_name_scope()
    with control_dependencies(None), name_scope(scope + "/") if scope else nullcontext():
        yield


def executing_eagerly() -> bool:
    """False."""
    return False


def resource_variables_enabled() -> bool:
    """Whether `enable_resource_variables` was called, and not taken back."""
    return _resource_variables
