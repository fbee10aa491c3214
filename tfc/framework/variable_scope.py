"""variable_scope and get_variable: variables by name, made once and shared on request."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tfc.base import dtypes
from tfc.framework.convert import convert_to_tensor
from tfc.framework.graph import GraphKeys, get_collection, get_default_graph, name_scope
from tfc.framework.variable_store import AUTO_REUSE, VariableStore, default_store
from tfc.framework.variables import VariableAggregation, VariableSynchronization

_SCOPE_KEY = ("__variable_scope",)
_INHERITED = ("initializer", "regularizer", "caching_device", "partitioner", "dtype", "constraint")


class VariableScope:
    """The defaults that `get_variable` takes: prefix of the name, reuse, initializer and so on."""

    def __init__(
        self,
        reuse: Any,
        name: str = "",
        initializer: Any = None,
        regularizer: Callable[..., Any] | None = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Callable[..., Any] | None = None,
        name_scope: str = "",
        dtype: Any = dtypes.float32,
        use_resource: bool | None = None,
        constraint: Callable[..., Any] | None = None,
    ):
        self._reuse, self._name, self._name_scope = reuse, name, name_scope
        self._initializer, self._regularizer = initializer, regularizer
        self._caching_device, self._partitioner = caching_device, partitioner
        self._custom_getter, self._dtype = custom_getter, dtype
        self._use_resource, self._constraint = use_resource, constraint

    @property
    def name(self) -> str:
        return self._name

    @property
    def original_name_scope(self) -> str:
        """The name scope that was opened with it, with a slash at the end."""
        return self._name_scope

    @property
    def reuse(self) -> Any:
        return self._reuse

    @property
    def initializer(self) -> Any:
        return self._initializer

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def use_resource(self) -> bool | None:
        return self._use_resource

    @property
    def regularizer(self) -> Callable[..., Any] | None:
        return self._regularizer

    @property
    def caching_device(self) -> Any:
        return self._caching_device

    @property
    def partitioner(self) -> Any:
        return self._partitioner

    @property
    def custom_getter(self) -> Callable[..., Any] | None:
        return self._custom_getter

    @property
    def constraint(self) -> Callable[..., Any] | None:
        return self._constraint

    def reuse_variables(self) -> None:
        """From here on, variables are found, not made."""
        self._reuse = True

    def set_initializer(self, initializer: Any) -> None:
        self._initializer = initializer

    def set_dtype(self, dtype: Any) -> None:
        self._dtype = dtype

    def set_use_resource(self, use_resource: bool | None) -> None:
        self._use_resource = use_resource

    def set_regularizer(self, regularizer: Callable[..., Any] | None) -> None:
        self._regularizer = regularizer

    def set_caching_device(self, caching_device: Any) -> None:
        self._caching_device = caching_device

    def set_partitioner(self, partitioner: Any) -> None:
        self._partitioner = partitioner

    def set_custom_getter(self, custom_getter: Callable[..., Any] | None) -> None:
        self._custom_getter = custom_getter

    def get_collection(self, name: Any) -> list[Any]:
        """The items of a collection whose names are inside this scope."""
        return get_collection(name, self._name + "/" if self._name else "")

    def trainable_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)

    def global_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def local_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.LOCAL_VARIABLES)

    def get_variable(
        self,
        store: VariableStore,
        name: str,
        shape: Any = None,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Callable[..., Any] | None = None,
        reuse: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Callable[..., Any] | None = None,
        constraint: Callable[..., Any] | None = None,
        **options: Any,
    ) -> Any:
        """The variable `name` in this scope, with the scope's defaults for what is None."""
        if initializer is None:
            initializer = self._initializer
        elif dtype is not None and not callable(initializer):
            given = dtypes.as_dtype(dtype).base_dtype
            found = convert_to_tensor(initializer).dtype.base_dtype
            if found != given:
                raise ValueError(
                    f"Initializer type '{found}' and explicit dtype '{given}' don't match."
                )
        full = f"{self._name}/{name}" if self._name else name
        with name_scope(None):
            return store.get(
                full,
                shape=shape,
                dtype=self._dtype if dtype is None else dtype,
                initializer=initializer,
                regularizer=self._regularizer if regularizer is None else regularizer,
                reuse=self._reuse if reuse is None else reuse,
                caching_device=self._caching_device if caching_device is None else caching_device,
                partitioner=self._partitioner if partitioner is None else partitioner,
                custom_getter=self._custom_getter if custom_getter is None else custom_getter,
                constraint=self._constraint if constraint is None else constraint,
                **options,
            )


def get_variable_scope() -> VariableScope:
    """The current variable scope of the default graph."""
    found = get_default_graph().get_collection_ref(_SCOPE_KEY)
    if not found:
        found.append(VariableScope(False))
    scope: VariableScope = found[0]
    return scope


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Callable[..., Any] | None = None,
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
    """The variable `name` of the current variable scope: found if the scope reuses, else made.

    initializer: a function of (shape, dtype), or the initial value itself; by default
    `glorot_uniform` for floats and zeros for integers.

    Raises:
      ValueError: it exists already, or does not, or is of another shape or dtype.
    """
    return get_variable_scope().get_variable(
        default_store(),
        name,
        shape=shape,
        dtype=dtype,
        initializer=initializer,
        regularizer=regularizer,
        trainable=trainable,
        collections=collections,
        caching_device=caching_device,
        partitioner=partitioner,
        validate_shape=validate_shape,
        use_resource=use_resource,
        custom_getter=custom_getter,
        constraint=constraint,
        synchronization=synchronization,
        aggregation=aggregation,
    )


def get_local_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool | None = False,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    custom_getter: Any = None,
    constraint: Any = None,
    synchronization: Any = VariableSynchronization.AUTO,
    aggregation: Any = VariableAggregation.NONE,
) -> Any:
    """`get_variable` of a local variable, which is not trained (whatever `trainable` says) and not
    saved."""
    return get_variable(
        name,
        shape,
        dtype,
        initializer,
        regularizer,
        False,
        [*(collections or ()), GraphKeys.LOCAL_VARIABLES],
        caching_device,
        partitioner,
        validate_shape,
        use_resource,
        custom_getter,
        constraint,
        synchronization,
        aggregation,
    )


def no_regularizer(_: Any) -> None:
    """The regularizer that takes back an outer one."""
    return None


class variable_scope:
    """`with tf.variable_scope("layer") as scope`: a VariableScope, and a name scope beside it.

    name_or_scope: a name, appended to the current one, or a VariableScope to enter again.
    default_name: used, and made unique, if that is None. What is None is inherited.
    auxiliary_name_scope: whether a name scope is opened too.
    """

    def __init__(
        self,
        name_or_scope: Any,
        default_name: str | None = None,
        values: Iterable[Any] | None = None,
        initializer: Any = None,
        regularizer: Callable[..., Any] | None = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Callable[..., Any] | None = None,
        reuse: Any = None,
        dtype: Any = None,
        use_resource: bool | None = None,
        constraint: Callable[..., Any] | None = None,
        auxiliary_name_scope: bool = True,
    ):
        if name_or_scope is None and default_name is None:
            raise TypeError("If default_name is None then name_or_scope is required")
        if reuse not in (None, True, False, AUTO_REUSE):
            raise ValueError("The reuse parameter must be True or False or None.")
        if reuse is True and name_or_scope is None:
            raise ValueError("reuse=True cannot be used without a name_or_scope")
        if not isinstance(auxiliary_name_scope, bool):
            raise TypeError("The auxiliary_name_scope must be `True` or `False`")
        self._name_or_scope, self._default_name = name_or_scope, default_name
        self._values, self._reuse = list(values or ()), reuse
        self._auxiliary = auxiliary_name_scope
        self._custom_getter, self._use_resource = custom_getter, use_resource
        self._given = dict(
            initializer=initializer,
            regularizer=regularizer,
            caching_device=caching_device,
            partitioner=partitioner,
            dtype=dtype,
            constraint=constraint,
        )
        self._contexts: list[Any] = []

    def __enter__(self) -> VariableScope:
        context = self._entered()
        scope: VariableScope = context.__enter__()
        self._contexts.append(context)
        return scope

    def __exit__(self, *exception: Any) -> Any:
        return self._contexts.pop().__exit__(*exception)

    @contextmanager
    def _entered(self) -> Iterator[VariableScope]:
        graph = graph_of(self._values)
        with graph.as_default():
            store, slot = default_store(), graph.get_collection_ref(_SCOPE_KEY)
            outer = get_variable_scope()
            name, source = self._full_name(store, outer)
            with self._names(source) as prefix:
                scope = self._make(outer, name, prefix)
                counts = dict(store.scope_counts)
                store.open_scope(name)
                slot[0] = scope
                try:
                    yield scope
                finally:
                    slot[0] = outer
                    store.close_subscopes(name)
                    if isinstance(source, VariableScope):
                        store.scope_counts = counts

    def _full_name(self, store: VariableStore, outer: VariableScope) -> tuple[str, Any]:
        """The name of the new variable scope, and what the name scope is to be called after."""
        given = self._name_or_scope
        if isinstance(given, VariableScope):
            return given.name, given
        if given is not None and not isinstance(given, str):
            raise TypeError("VariableScope: name_or_scope must be a string or VariableScope.")
        part = given
        if part is None:
            assert self._default_name is not None
            part = store.unique_scope(outer.name, self._default_name)
        return (f"{outer.name}/{part}" if outer.name else part), given or self._default_name

    def _names(self, source: Any) -> Any:
        """The name scope beside the variable scope."""
        if isinstance(source, VariableScope):
            source = source.name.split("/")[-1]
        if self._auxiliary and source:
            return name_scope(source)
        current = get_default_graph().get_name_scope()
        return name_scope(current + "/" if current else "")

    def _make(self, outer: VariableScope, name: str, prefix: str) -> VariableScope:
        base, reuse = outer, self._reuse
        if isinstance(self._name_or_scope, VariableScope):
            base = self._name_or_scope
            prefix = base.original_name_scope
        getter = _wrapped(self._custom_getter, base.custom_getter)
        scope = VariableScope(
            reuse or base.reuse if base is outer else (base.reuse if reuse is None else reuse),
            name=name,
            custom_getter=getter,
            name_scope=prefix,
            use_resource=base.use_resource if self._use_resource is None else self._use_resource,
        )
        for key in _INHERITED:
            value = self._given[key]
            setattr(scope, "_" + key, getattr(base, key) if value is None else value)
        return scope


def graph_of(values: Sequence[Any]) -> Any:
    """The graph of `values`, the default one if there are none."""
    for value in values:
        graph = getattr(value, "graph", None)
        if graph is not None:
            return graph
    return get_default_graph()


def _wrapped(inner: Any, outer: Any) -> Any:
    """A getter that asks `inner`, whose `getter` argument asks `outer`."""
    if inner is None or outer is None:
        return outer if inner is None else inner

    def getter(getter: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return inner(functools.partial(outer, getter), *args, **options)

    return getter


def variable_op_scope(
    values: Iterable[Any],
    name_or_scope: Any,
    default_name: str | None = None,
    initializer: Any = None,
    regularizer: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    custom_getter: Any = None,
    reuse: Any = None,
    dtype: Any = None,
    use_resource: bool | None = None,
    constraint: Any = None,
) -> variable_scope:
    """`variable_scope` with the arguments in the order of early versions."""
    return variable_scope(
        name_or_scope,
        default_name,
        values,
        initializer=initializer,
        regularizer=regularizer,
        caching_device=caching_device,
        partitioner=partitioner,
        custom_getter=custom_getter,
        reuse=reuse,
        dtype=dtype,
        use_resource=use_resource,
        constraint=constraint,
    )


def create_partitioned_variables(
    shape: Sequence[int],
    slicing: Sequence[int],
    initializer: Any,
    dtype: Any = dtypes.float32,
    trainable: bool = True,
    collections: Sequence[Any] | None = None,
    name: str | None = None,
    reuse: Any = None,
) -> list[Any]:
    """The parts of one variable, `slicing` of them along each axis, of which one may be above 1.

    Raises:
      ValueError: shape and slicing do not fit, or there are parts along several axes.
    """
    if len(shape) != len(slicing):
        raise ValueError(
            "The 'shape' and 'slicing' of a partitioned Variable must have the length: shape: "
            f"{shape}, slicing: {slicing}"
        )
    if len(shape) < 1:
        raise ValueError(f"A partitioned Variable must have rank at least 1: shape: {shape}")
    with variable_scope(name, "PartitionedVariable", reuse=reuse) as scope, name_scope(None):
        whole = default_store().get(
            scope.name,
            shape=shape,
            dtype=dtype,
            initializer=initializer,
            trainable=trainable,
            collections=collections,
            reuse=scope.reuse,
            partitioner=lambda **unused: list(slicing),
        )
    return list(whole)
