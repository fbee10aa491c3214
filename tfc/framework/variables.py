"""tf.Variable: a mutable tensor that a Session keeps, as four ops of the graph.

`Variable(42)` adds `Variable/initial_value`, `Variable` (the storage, of a reference dtype),
`Variable/Assign` (the initializer) and `Variable/read` (the content). The operators are put on the
class by `tfc.ops`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from enum import Enum
from typing import Any

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape, as_shape
from tfc.framework.convert import (
    convert_to_tensor,
    register_dense_tensor_like_type,
    register_tensor_conversion_function,
)
from tfc.framework.graph import (
    GraphKeys,
    control_dependencies,
    device,
    get_default_graph,
    name_scope,
)
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import apply
from tfc.framework.operation import Operation, Tensor
from tfc.framework.overloads import Overloaded
from tfc.framework.partitioned import SaveSliceInfo
from tfc.framework.session_stack import get_default_session
from tfc.framework.v1_mode import resource_variables_enabled

_GUARDED = ("IsVariableInitialized", "InitializedValue")  # may read a variable without content
_IN_SESSION = (
    "Either a Session must be passed or a default Session must be registered "
    "(use `with sess.as_default()`)"
)


class VariableSynchronization(Enum):
    """How copies of a variable are kept equal; accepted, since there are no copies here."""

    AUTO, NONE, ON_WRITE, ON_READ = range(4)


class VariableAggregation(Enum):
    """How updates of copies are combined; accepted, since there are no copies here."""

    NONE, SUM, MEAN, ONLY_FIRST_REPLICA = range(4)


def checked_modes(
    synchronization: Any, aggregation: Any, trainable: bool | None, name: str | None
) -> tuple[VariableSynchronization, VariableAggregation, bool]:
    """Both modes as members of their enumerations, and whether the variable is trained.

    A variable that is synchronized when it is read is not trained by default.

    Raises:
      ValueError: one is no mode, or a variable synchronized when read is to be trained.
    """
    try:
        aggregated = VariableAggregation(0 if aggregation is None else aggregation)
    except ValueError:
        raise ValueError(
            f"Invalid variable aggregation mode: {aggregation} for variable: {name}"
        ) from None
    try:
        synchronized = VariableSynchronization(0 if synchronization is None else synchronization)
    except ValueError:
        raise ValueError(
            f"Invalid variable synchronization mode: {synchronization} for variable: {name}"
        ) from None
    on_read = synchronized == VariableSynchronization.ON_READ
    return synchronized, aggregated, not on_read if trainable is None else trainable


class Variable(Overloaded):
    """A variable with an initial value.

    initial_value: what converts to a tensor, or a function without arguments that returns it.
    trainable: whether optimizers train it by default. collections: those it is added to; the
    global variables by default. validate_shape: whether its shape is that of the initial value and
    stays so. dtype: what the initial value is converted to. expected_shape: checked against it.
    variable_def: instead of all of them, a VariableDef message, which names ops that are in the
    default graph, under the scope import_scope.
    """

    SaveSliceInfo = SaveSliceInfo

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        collections: Iterable[Any] | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        expected_shape: Any = None,
        import_scope: str | None = None,
        constraint: Callable[..., Any] | None = None,
        use_resource: bool | None = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
    ):
        if variable_def is not None:
            if initial_value is not None:
                raise ValueError("variable_def and initial_value are mutually exclusive.")
            self._take_ops(variable_def, import_scope)
            return
        if initial_value is None:
            raise ValueError("initial_value must be specified.")
        if constraint is not None and not callable(constraint):
            raise ValueError("The `constraint` argument must be a callable.")
        modes = checked_modes(synchronization, aggregation, trainable, name)
        self._synchronization, self._aggregation, self._trainable = modes
        keys = _collection_keys(collections, self._trainable)
        self._use_resource = resource_variables_enabled() if use_resource is None else use_resource
        self._constraint, self._caching_device = constraint, caching_device
        self._save_slice_info: Any = None
        wanted = None if dtype is None else dtypes.as_dtype(dtype).base_dtype
        given = [] if callable(initial_value) else [initial_value]
        with control_dependencies(None), name_scope(name, "Variable", given) as scope:
            self._make_ops(scope, initial_value, wanted, validate_shape, shape, expected_shape)
        self._graph = self._variable.graph
        self._graph.add_to_collections(keys, self)

    def _make_ops(
        self,
        scope: str,
        initial_value: Any,
        dtype: DType | None,
        validate_shape: bool,
        shape: Any,
        expected_shape: Any,
    ) -> None:
        if callable(initial_value):
            with name_scope("Initializer"), device(None):
                value = convert_to_tensor(initial_value(), dtype, "initial_value")
        else:
            value = convert_to_tensor(initial_value, dtype, "initial_value")
        if value.op._region is not None:
            raise ValueError(
                f"Initializer for variable {scope} is from inside a control-flow construct, such "
                "as a loop or conditional. When creating a variable inside a loop or conditional, "
                "use a lambda as the initializer."
            )
        known = value.get_shape() if validate_shape else TensorShape(None)
        if validate_shape and not known.is_fully_defined():
            raise ValueError(f"initial_value must have a shape specified: {value}")
        if expected_shape is not None:
            as_shape(expected_shape).assert_is_compatible_with(value.get_shape())
        declared = known if shape is None else as_shape(shape)
        self._initial_value: Tensor | None = value
        self._variable: Tensor = apply(
            "VariableV2", shape=declared, dtype=value.dtype.base_dtype, name=scope
        )
        if self._use_resource:
            self._variable.op._attrs["_resource"] = True  # a fetch is not what its memory becomes
        with self._variable.graph.colocate_with(self._variable.op):
            safe = guarded_initial_value(self.op.name, value)
            assign = apply("Assign", self._variable, safe, validate_shape=validate_shape)
            self._initializer: Operation = assign.op
            with device(self._caching_device) if self._caching_device else nullcontext():
                self._snapshot: Tensor = apply("Identity", self._variable, name="read")

    def _take_ops(self, proto: Any, import_scope: str | None) -> None:
        """Be the variable whose ops, which are in the default graph, a VariableDef names."""
        graph = get_default_graph()

        def element(name: str) -> Any:
            return graph.as_graph_element(f"{import_scope}/{name}" if import_scope else name)

        self._variable = element(proto.variable_name)
        self._initializer = element(proto.initializer_name)
        self._snapshot = element(proto.snapshot_name)
        named = proto.initial_value_name
        self._initial_value = element(named) if named else None
        self._trainable = bool(proto.trainable)
        self._constraint = self._caching_device = self._save_slice_info = None
        if proto.HasField("save_slice_info_def"):
            given = proto.save_slice_info_def
            self._save_slice_info = SaveSliceInfo(None, None, None, None, given, import_scope)
        self._synchronization = VariableSynchronization(proto.synchronization)
        self._aggregation = VariableAggregation(proto.aggregation)
        self._use_resource = bool(proto.is_resource)
        self._graph = graph

    def _set_save_slice_info(self, save_slice_info: Any) -> None:
        """Say which part of a whole this variable is, to savers and to PartitionedVariable."""
        self._save_slice_info = save_slice_info

    def _get_save_slice_info(self) -> Any:
        return self._save_slice_info

    # ---- what it is

    @property
    def name(self) -> str:
        return self._variable.name

    @property
    def _shared_name(self) -> str:
        return self.op.name

    @property
    def op(self) -> Operation:
        return self._variable.op

    @property
    def graph(self) -> Any:
        return self._variable.graph

    @property
    def device(self) -> str:
        return self._variable.device

    @property
    def dtype(self) -> DType:
        """The reference dtype, such as float32_ref."""
        return self._variable.dtype

    @property
    def shape(self) -> TensorShape:
        return self._variable.get_shape()

    def get_shape(self) -> TensorShape:
        return self.shape

    def set_shape(self, shape: Any) -> None:
        self._variable.set_shape(shape)
        self._snapshot.set_shape(shape)

    @property
    def trainable(self) -> bool:
        return self._trainable

    @property
    def constraint(self) -> Callable[..., Any] | None:
        return self._constraint

    @property
    def synchronization(self) -> VariableSynchronization:
        return self._synchronization

    @property
    def aggregation(self) -> VariableAggregation:
        return self._aggregation

    @property
    def initializer(self) -> Operation:
        """The op that gives the variable its initial value."""
        return self._initializer

    @property
    def initial_value(self) -> Tensor | None:
        return self._initial_value

    def __repr__(self) -> str:
        return f"<tf.Variable {self.name!r} shape={self.shape} dtype={self.dtype.name}>"

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __iter__(self) -> Any:
        raise TypeError("'Variable' object is not iterable.")

    __array_priority__ = 100

    # ---- what it holds

    def _ref(self) -> Tensor:
        """The reference to the storage."""
        return self._variable

    def _AsTensor(self) -> Tensor:
        return self.value()

    def _as_graph_element(self) -> Tensor:
        return self._variable

    def value(self) -> Tensor:
        """The content, read where it is used first in a run; with `use_resource`, in the current
        context of control dependencies."""
        if self._use_resource and self.graph._controls_for([]):
            return self.read_value()
        return self._snapshot

    def read_value(self) -> Tensor:
        """The content, read in the current context of control dependencies."""
        tensor: Tensor = apply("Identity", self._variable, name="read")
        return tensor

    def initialized_value(self) -> Tensor:
        """The content, or the initial value where the variable has none yet."""
        with control_dependencies(None):
            tensor: Tensor = apply("InitializedValue", self._variable, self._initial_value)
        return tensor

    def eval(self, session: Any = None) -> Any:
        """The content in `session` or the default Session."""
        return self._variable.eval(session=session)

    def load(self, value: Any, session: Any = None) -> None:
        """Put an array into the variable of `session` or of the default Session."""
        session = session or get_default_session()
        if session is None:
            raise ValueError(_IN_SESSION)
        session.run(self._initializer, {self._initializer.inputs[1]: value})

    # ---- changing it

    def assign(
        self,
        value: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> Any:
        """An op that makes `value` the content; the variable after it, or with `read_value` False
        the Operation."""
        return self._update("Assign", value, use_locking, name, read_value)

    def assign_add(
        self,
        delta: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> Any:
        return self._update("AssignAdd", delta, use_locking, name, read_value)

    def assign_sub(
        self,
        delta: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> Any:
        return self._update("AssignSub", delta, use_locking, name, read_value)

    def _update(self, op: str, value: Any, locking: bool, name: str | None, read: bool) -> Any:
        result = apply(op, self._variable, value, use_locking=locking, name=name)
        return result if read else result.op

    def count_up_to(self, limit: int) -> Tensor:
        """The content before it is increased by one; OutOfRangeError at `limit`."""
        tensor: Tensor = apply("CountUpTo", self._variable, limit=limit)
        return tensor

    def scatter_update(
        self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
    ) -> Tensor:
        return self._scatter("ScatterUpdate", sparse_delta, use_locking, name)

    def scatter_add(
        self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
    ) -> Tensor:
        return self._scatter("ScatterAdd", sparse_delta, use_locking, name)

    def scatter_sub(
        self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
    ) -> Tensor:
        return self._scatter("ScatterSub", sparse_delta, use_locking, name)

    def scatter_mul(
        self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
    ) -> Tensor:
        return self._scatter("ScatterMul", sparse_delta, use_locking, name)

    def scatter_div(
        self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
    ) -> Tensor:
        return self._scatter("ScatterDiv", sparse_delta, use_locking, name)

    def scatter_min(
        self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
    ) -> Tensor:
        return self._scatter("ScatterMin", sparse_delta, use_locking, name)

    def scatter_max(
        self, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
    ) -> Tensor:
        return self._scatter("ScatterMax", sparse_delta, use_locking, name)

    def _scatter(self, op: str, delta: Any, locking: bool, name: str | None) -> Tensor:
        if not isinstance(delta, IndexedSlices):
            raise TypeError(f"sparse_delta is not IndexedSlices: {delta}")
        result: Tensor = apply(
            op, self._variable, delta.indices, delta.values, use_locking=locking, name=name
        )
        return result

    def scatter_nd_update(self, indices: Any, updates: Any, name: str | None = None) -> Tensor:
        return self._scatter_nd("ScatterNdUpdate", indices, updates, name)

    def scatter_nd_add(self, indices: Any, updates: Any, name: str | None = None) -> Tensor:
        return self._scatter_nd("ScatterNdAdd", indices, updates, name)

    def scatter_nd_sub(self, indices: Any, updates: Any, name: str | None = None) -> Tensor:
        return self._scatter_nd("ScatterNdSub", indices, updates, name)

    def sparse_read(self, indices: Any, name: str | None = None) -> Tensor:
        """The rows that `indices` name."""
        rows: Tensor = apply("GatherV2", self, indices, 0, name=name or "Gather")
        return rows

    def gather_nd(self, indices: Any, name: str | None = None) -> Tensor:
        """For each row of `indices`, the slice at that place."""
        slices: Tensor = apply("GatherNd", self, indices, name=name)
        return slices

    def _scatter_nd(self, op: str, indices: Any, updates: Any, name: str | None) -> Tensor:
        result: Tensor = apply(op, self._variable, indices, updates, use_locking=True, name=name)
        return result


def _collection_keys(collections: Any, trainable: bool) -> list[Any]:
    if collections is None:
        collections = [GraphKeys.GLOBAL_VARIABLES]
    if not isinstance(collections, list | tuple | set):
        raise ValueError(
            "collections argument to Variable constructor must be a list, tuple, or set. Got "
            f"{collections} of type {type(collections)}"
        )
    keys = list(collections)
    if trainable and GraphKeys.TRAINABLE_VARIABLES not in keys:
        keys.append(GraphKeys.TRAINABLE_VARIABLES)
    return keys


def guarded_initial_value(name: str, value: Tensor) -> Tensor:
    """`value` with every variable that it reads replaced by that variable's initialized value.

    So variables may be initialized in one run in any order. The ops between are copied; an initial
    value that reads no variable is returned as it is.
    """
    if value.op.type == "Const":
        return value
    variables = {v.op: v for v in _all_variables(value.graph)}
    reached: set[Operation] = {value.op}
    stack = [value.op]
    while stack:
        op = stack.pop()
        if op.type in _GUARDED:
            continue
        for source in (t.op for t in op.inputs):
            if source not in reached:
                reached.add(source)
                stack.append(source)
    if not any(op in variables for op in reached):
        return value
    new: dict[Tensor, Tensor] = {}
    for op in sorted(reached, key=lambda op: op._id):
        if op in variables:
            new[op.outputs[0]] = variables[op].initialized_value()
        elif any(t in new for t in op.inputs) and op.type not in _GUARDED:
            _copy_op(op, f"{op.name}_{name.replace('/', '_')}", new)
    return new.get(value, value)


def _copy_op(op: Operation, name: str, new: dict[Tensor, Tensor]) -> None:
    attrs = {k: v for k, v in op._attrs.items() if not k.startswith("_")}
    inputs = [new.get(t, t) for t in op.inputs]
    with op.graph.name_scope(None):
        copy = op.graph.create_op(op.type, inputs, attrs=attrs, name=name)
    new.update(zip(op.outputs, copy.outputs, strict=True))


def _all_variables(graph: Any) -> list[Variable]:
    keys = (GraphKeys.GLOBAL_VARIABLES, GraphKeys.LOCAL_VARIABLES)
    found = [v for key in keys for v in graph.get_collection(key)]
    return [v for v in dict.fromkeys(found) if isinstance(v, Variable)]


def _to_tensor(
    value: Variable, dtype: DType | None = None, name: str | None = None, as_ref: bool = False
) -> Any:
    if dtype is not None and dtype != value.dtype.base_dtype:
        raise ValueError(
            f"Incompatible type conversion requested to type '{dtype.name}' for variable of type "
            f"'{value.dtype.name}'"
        )
    return value._ref() if as_ref else value.value()


register_tensor_conversion_function(Variable, _to_tensor)
register_dense_tensor_like_type(Variable)
