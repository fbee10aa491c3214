"""The variables that `get_variable` made in a graph, by full name, and how one is made or found."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape, as_shape
from tfc.framework.convert import convert_to_tensor
from tfc.framework.graph import (
    GraphKeys,
    add_to_collection,
    colocate_with,
    control_dependencies,
    get_default_graph,
    name_scope,
)
from tfc.framework.opdef import apply
from tfc.framework.partitioned import (
    PartitionedVariable,
    PartitionInfo,
    SaveSliceInfo,
    check_partitions,
    slices,
)
from tfc.framework.variables import Variable

_KEY = ("__variable_store",)


class _ReuseMode(enum.Enum):
    AUTO_REUSE = 1


AUTO_REUSE = _ReuseMode.AUTO_REUSE

# dtype -> an initializer, for variables that name none; `tfc.ops` puts it here when it is loaded.
_default_initializer: list[Callable[[DType], Any]] = []


def install_default_initializer(function: Callable[[DType], Any]) -> None:
    """Set which initializer a variable of a dtype gets that names none. It returns None for
    dtypes that have no default."""
    _default_initializer[:] = [function]


class VariableStore:
    """Variables by full name, and how often each variable scope was opened."""

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        self.partitioned: dict[str, PartitionedVariable] = {}
        self.scope_counts: dict[str, int] = {}

    def open_scope(self, name: str) -> None:
        self.scope_counts[name] = self.scope_counts.get(name, 0) + 1

    def close_subscopes(self, name: str) -> None:
        for key in self.scope_counts:
            if not name or key.startswith(name + "/"):
                self.scope_counts[key] = 0

    def unique_scope(self, prefix: str, default_name: str) -> str:
        """`default_name`, or with `_1`, `_2`, … where that scope was opened before."""
        base = f"{prefix}/{default_name}" if prefix else default_name
        if not self.scope_counts.get(base):
            return default_name
        number = 1
        while self.scope_counts.get(f"{base}_{number}"):
            number += 1
        return f"{default_name}_{number}"

    def get(
        self,
        name: str,
        shape: Any = None,
        dtype: Any = dtypes.float32,
        initializer: Any = None,
        regularizer: Callable[..., Any] | None = None,
        reuse: Any = None,
        trainable: bool | None = None,
        collections: Sequence[Any] | None = None,
        caching_device: Any = None,
        partitioner: Any = None,
        validate_shape: bool = True,
        use_resource: bool | None = None,
        custom_getter: Callable[..., Any] | None = None,
        constraint: Callable[..., Any] | None = None,
        synchronization: Any = None,
        aggregation: Any = None,
    ) -> Any:
        """The variable called `name`: found if `reuse`, else made.

        Raises:
          ValueError: it exists and may not be reused, is absent and must be, or is of another
          shape or dtype.
        """
        if custom_getter is not None and not callable(custom_getter):
            raise ValueError(f"Passed a custom_getter which is not callable: {custom_getter}")
        options = dict(
            shape=shape,
            dtype=dtypes.float32 if dtype is None else dtypes.as_dtype(dtype).base_dtype,
            initializer=initializer,
            regularizer=regularizer,
            reuse=reuse,
            trainable=trainable,
            collections=collections,
            caching_device=caching_device,
            partitioner=partitioner,
            validate_shape=validate_shape,
            use_resource=use_resource,
            constraint=constraint,
            synchronization=synchronization,
            aggregation=aggregation,
        )
        if custom_getter is not None:
            return custom_getter(getter=self._find_or_make, name=name, **options)
        return self._find_or_make(name, **options)

    def _find_or_make(
        self,
        name: str,
        shape: Any = None,
        dtype: Any = dtypes.float32,
        initializer: Any = None,
        regularizer: Callable[..., Any] | None = None,
        reuse: Any = None,
        trainable: bool | None = True,
        collections: Sequence[Any] | None = None,
        caching_device: Any = None,
        partitioner: Any = None,
        validate_shape: bool = True,
        use_resource: bool | None = None,
        constraint: Callable[..., Any] | None = None,
        synchronization: Any = None,
        aggregation: Any = None,
    ) -> Any:
        dtype = dtypes.as_dtype(dtype).base_dtype
        wanted = TensorShape(None) if shape is None else as_shape(shape)
        again = reuse is True and name in self.partitioned
        options = dict(
            trainable=trainable,
            collections=collections,
            caching_device=caching_device,
            validate_shape=validate_shape,
            constraint=constraint,
            use_resource=use_resource,
            synchronization=synchronization,
            aggregation=aggregation,
        )
        if again or (partitioner is not None and wanted.ndims != 0):
            options["regularizer"] = regularizer
            return self._in_parts(name, partitioner, wanted, dtype, initializer, reuse, options)
        if f"{name}/part_0" in self.variables:
            raise ValueError(
                "No partitioner was provided, but a partitioned version of the variable was "
                f"found: {name}/part_0. Perhaps a variable of the same name was already created "
                "with partitioning?"
            )
        if name in self.variables:
            if reuse is False or reuse is None:
                raise ValueError(_exists(name, self.variables[name]))
            return _checked(self.variables[name], name, wanted, dtype)
        if reuse is True:
            raise ValueError(
                f"Variable {name} does not exist, or was not created with tf.get_variable(). Did "
                "you mean to set reuse=tf.AUTO_REUSE in VarScope?"
            )
        value, value_dtype = _initial_value(name, initializer, shape, wanted, dtype)
        variable = Variable(initial_value=value, name=name, dtype=value_dtype, **options)
        if not validate_shape and value_dtype is not None and wanted.is_fully_defined():
            variable.set_shape(wanted)
        self.variables[name] = variable
        if regularizer is not None:
            _regularize(variable, name, regularizer)
        return variable

    def _in_parts(
        self,
        name: str,
        partitioner: Any,
        shape: TensorShape,
        dtype: DType,
        initializer: Any,
        reuse: Any,
        options: dict[str, Any],
    ) -> PartitionedVariable:
        """The variable called `name` in the parts that the partitioner says: found, or made."""
        whole = None if initializer is None or callable(initializer) else initializer
        if whole is not None:
            whole = convert_to_tensor(whole)  # its dtype is the variable's
            dtype = whole.dtype.base_dtype
            shape = shape.merge_with(whole.get_shape())
        if name in self.partitioned:
            return self._found_in_parts(name, shape, dtype, reuse)
        if reuse is True or not callable(partitioner):
            raise ValueError(
                f"PartitionedVariable {name} does not exist"
                if reuse is True
                else f"Partitioner must be callable, but received: {partitioner}"
            )
        if not shape.is_fully_defined():
            raise ValueError(
                f"Shape of a new partitioned variable ({name}) must be fully defined, but instead "
                f"was {shape}."
            )
        dims: Any = shape.as_list()
        counts = check_partitions(partitioner(shape=shape, dtype=dtype), shape)
        if any(n > d for n, d in zip(counts, dims, strict=True)):
            raise ValueError(f"more parts than elements of {name}: {counts} of {shape}")
        parts = []
        for i, (offset, size) in enumerate(slices(dims, counts)):
            full_name = f"{name}/part_{i}"
            start = initializer
            if whole is not None:
                with name_scope(f"{full_name}/PartitionedInitializer/"):
                    start = apply("Slice", whole, offset, size)
            elif start is None and _default_initializer:
                start = _default_initializer[0](dtype)
            elif isinstance(start, type):
                start = start(dtype=dtype)
            if callable(start):
                start = _of_part(start, PartitionInfo(dims, offset))
            given = None if whole is not None else size
            part = self._find_or_make(full_name, given, dtype, start, reuse=reuse, **options)
            part._save_slice_info = SaveSliceInfo(name, dims, offset, size)
            parts.append(part)
        made = self.partitioned[name] = PartitionedVariable(name, shape, dtype, parts, counts)
        return made

    def _found_in_parts(
        self, name: str, shape: TensorShape, dtype: DType, reuse: Any
    ) -> PartitionedVariable:
        found = self.partitioned[name]
        if not reuse:
            raise ValueError(
                f"Partitioned variable with name {name} already exists. Did you mean to set "
                "reuse=True or reuse=tf.AUTO_REUSE in VarScope?"
            )
        if not shape.is_compatible_with(found.get_shape()) or dtype != found.dtype:
            raise ValueError(
                f"Trying to reuse partitioned variable {name}, but specified {dtype.name} "
                f"{shape} and found {found.dtype.name} {found.get_shape()}."
            )
        return found


def _of_part(initializer: Callable[..., Any], info: PartitionInfo) -> Callable[..., Any]:
    """An initializer of a part, which is told of the whole if it takes that."""
    try:
        parameters = inspect.signature(initializer).parameters
    except (TypeError, ValueError):
        return initializer
    if "partition_info" not in parameters:
        return initializer

    def told(shape: Any, dtype: Any = None) -> Any:
        return initializer(shape, dtype=dtype, partition_info=info)

    return told


def _exists(name: str, variable: Variable) -> str:
    at = variable.op.location
    where = "" if at is None else f'\n\n  File "{at.file}", line {at.line}, in {at.function}\n'
    return (
        f"Variable {name} already exists, disallowed. Did you mean to set reuse=True "
        f"or reuse=tf.AUTO_REUSE in VarScope? Originally defined at:{where}"
    )


def _checked(variable: Variable, name: str, shape: TensorShape, dtype: DType) -> Variable:
    """`variable`, if it is of this shape and dtype."""
    if not shape.is_compatible_with(variable.get_shape()):
        raise ValueError(
            f"Trying to share variable {name}, but specified shape {shape} and found shape "
            f"{variable.get_shape()}."
        )
    if dtype != variable.dtype.base_dtype:
        raise ValueError(
            f"Trying to share variable {name}, but specified dtype {dtype.name} and found dtype "
            f"{variable.dtype.base_dtype.name}."
        )
    return variable


def _initial_value(
    name: str, initializer: Any, given: Any, shape: TensorShape, dtype: DType
) -> tuple[Any, DType | None]:
    """What Variable takes as initial value, and the dtype to convert it to."""
    by_default = initializer is None
    if by_default:
        initializer = _default_initializer[0](dtype) if _default_initializer else None
        if initializer is None:
            raise ValueError(f"An initializer for variable {name} of {dtype!r} is required")
    if not callable(initializer):
        if given is not None:
            raise ValueError("If initializer is a constant, do not specify shape.")
        return initializer, None
    if isinstance(initializer, type):
        initializer = initializer(dtype=dtype)
    if not shape.is_fully_defined():
        if given is None and not by_default:
            if _takes_nothing(initializer):
                return initializer, None
            raise ValueError(
                "The initializer passed is not valid. It should be a callable with no arguments "
                "and the shape should not be provided or an instance of `tf.keras.initializers.*' "
                f"and `shape` should be fully defined. Variable {name} has no shape."
            )
        raise ValueError(
            f"Shape of a new variable ({name}) must be fully defined, but instead was {shape}."
        )
    make = initializer
    return (lambda: make(shape.as_list(), dtype=dtype)), dtype


def _takes_nothing(function: Callable[..., Any]) -> bool:
    """Whether `function` may be called without arguments, as a function that makes a value is and
    an initializer, which takes a shape, is not."""
    parameters = inspect.signature(function).parameters.values()
    return all(
        p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters
    )


def _regularize(variable: Variable, name: str, regularizer: Callable[..., Any]) -> None:
    scope = name_scope(f"{name}/Regularizer/")
    with colocate_with(variable.op), scope, control_dependencies(None):
        loss = regularizer(variable)
    if loss is not None:
        add_to_collection(GraphKeys.REGULARIZATION_LOSSES, convert_to_tensor(loss))


def default_store() -> VariableStore:
    """The store of the default graph."""
    found = get_default_graph().get_collection_ref(_KEY)
    if not found:
        found.append(VariableStore())
    store: VariableStore = found[0]
    return store
