"""Functions on sets of variables: collections of them, initializing them, asking which are not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tfc.base import dtypes
from tfc.framework.convert import convert_to_tensor
from tfc.framework.graph import (
    GraphKeys,
    control_dependencies,
    get_collection,
    get_default_graph,
    name_scope,
)
from tfc.framework.opdef import apply, apply_op
from tfc.framework.operation import Operation, Tensor

_STATEFUL = ("Variable", "VariableV2")


def global_variables(scope: str | None = None) -> list[Any]:
    """The variables of the default graph, except local ones."""
    return get_collection(GraphKeys.GLOBAL_VARIABLES, scope)


def all_variables() -> list[Any]:
    """`global_variables` by its first name."""
    return global_variables()


def local_variables(scope: str | None = None) -> list[Any]:
    """Variables of this process: counters of metrics and the like."""
    return get_collection(GraphKeys.LOCAL_VARIABLES, scope)


def model_variables(scope: str | None = None) -> list[Any]:
    """Variables that inference needs."""
    return get_collection(GraphKeys.MODEL_VARIABLES, scope)


def trainable_variables(scope: str | None = None) -> list[Any]:
    """Variables that optimizers train by default."""
    return get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


def moving_average_variables(scope: str | None = None) -> list[Any]:
    """Variables of which moving averages are kept."""
    return get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, scope)


def variables_initializer(var_list: Sequence[Any], name: str = "init") -> Operation:
    """An op that runs the initializers of these variables."""
    ops = [v.initializer for v in var_list]
    with name_scope(name, "group_deps", ops) as scope, control_dependencies(ops):
        return apply_op("NoOp", name=scope)


def initialize_variables(var_list: Sequence[Any], name: str = "init") -> Operation:
    """`variables_initializer` by its first name."""
    return variables_initializer(var_list, name)


def global_variables_initializer() -> Operation:
    """An op that initializes the global variables made so far."""
    return variables_initializer(global_variables())


def initialize_all_variables() -> Operation:
    """`global_variables_initializer` by its first name."""
    return global_variables_initializer()


def local_variables_initializer() -> Operation:
    """An op that initializes the local variables made so far."""
    return variables_initializer(local_variables())


def initialize_local_variables() -> Operation:
    """`local_variables_initializer` by its first name."""
    return local_variables_initializer()


def is_variable_initialized(variable: Any) -> Tensor:
    """Whether a variable has content, as a bool tensor."""
    tensor: Tensor = apply("IsVariableInitialized", variable)
    return tensor


def _all_or_given(var_list: Iterable[Any] | None) -> list[Any]:
    if var_list is not None:
        return list(var_list)
    found = [*global_variables(), *local_variables()]
    if found:
        return found
    graph = get_default_graph()
    return [op.outputs[0] for op in graph.get_operations() if op.type in _STATEFUL]


def report_uninitialized_variables(
    var_list: Iterable[Any] | None = None, name: str = "report_uninitialized_variables"
) -> Tensor:
    """A vector of the names of those variables that have no content.

    var_list: all global and local variables if None.
    """
    variables = _all_or_given(var_list)
    with name_scope(name):
        if not variables:
            return convert_to_tensor([], dtype=dtypes.string)
        flags = [apply("IsVariableInitialized", v) for v in variables]
        missing = apply("LogicalNot", apply("Pack", flags, name="stack"))
        names = convert_to_tensor([v.op.name for v in variables])
        with name_scope("boolean_mask"):
            places = apply("Squeeze", apply("Where", missing), squeeze_dims=[1])
            chosen: Tensor = apply("Gather", names, places)
        return chosen


def assert_variables_initialized(var_list: Iterable[Any] | None = None) -> Any:
    """An op that fails if one of the variables has no content; None if there are none."""
    variables = _all_or_given(var_list)
    if not variables:
        return None
    ranks = [apply("Rank", v._ref() if hasattr(v, "_ref") else v) for v in variables]
    return ranks[0] if len(ranks) == 1 else apply("Pack", ranks, name="stack")


def tables_initializer(name: str = "init_all_tables") -> Operation:
    """An op that initializes the lookup tables made so far."""
    ops = get_collection(GraphKeys.TABLE_INITIALIZERS)
    if not ops:
        return apply_op("NoOp", name=name)
    with name_scope(name, "group_deps", ops) as scope, control_dependencies(ops):
        return apply_op("NoOp", name=scope)


def initialize_all_tables(name: str = "init_all_tables") -> Operation:
    """`tables_initializer` by its first name."""
    return tables_initializer(name)
