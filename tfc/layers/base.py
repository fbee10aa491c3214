"""tf.layers.Layer: variables made once, in a variable scope of the layer's own, and the ops of
each call in the name scope beside it."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes, nest
from tfc.base.shapes import TensorShape
from tfc.framework.graph import (
    GraphKeys,
    Operation,
    Tensor,
    add_to_collection,
    convert_to_tensor,
    get_collection_ref,
    get_default_graph,
    name_scope,
)
from tfc.framework.partitioned import PartitionedVariable
from tfc.framework.variable_lists import global_variables, trainable_variables
from tfc.framework.variable_scope import VariableScope, get_variable, variable_scope
from tfc.framework.variables import VariableAggregation, VariableSynchronization
from tfc.layers.identifiers import initializer_of
from tfc.layers.input_spec import check_inputs
from tfc.layers.tracking import Tracked

_KNOWN = ("input_shape", "batch_input_shape", "batch_size", "weights", "activity_regularizer")
_NAME_COUNTS = ("__layer_names",)


class Layer(Tracked):
    """A function with variables of its own.

    A subclass makes them in `build(input_shape)` with `add_weight` and says in `call` what the
    layer computes. The first call of a layer decides its variable scope, under the layer's name
    and made unique, and builds it; every later call shares the variables.

    trainable: whether its variables are trained. name: of the scope; without one, the name of the
    class in snake case. dtype: of the variables; without one, that of the first input.
    `_reuse` shares variables that are there already; `_scope` is the scope itself.

    Attributes: name, dtype, trainable, built, input_spec, scope_name, weights, variables,
    trainable_weights, trainable_variables, non_trainable_weights, non_trainable_variables,
    updates, losses.

    Source: tensorflow/python/layers/base.py.
    """

    def __init__(self, trainable: bool = True, name: Any = None, dtype: Any = None, **kwargs: Any):
        scope, self._reuse = kwargs.pop("_scope", None), kwargs.pop("_reuse", None)
        for key in kwargs:
            if key not in _KNOWN:
                raise TypeError("Keyword argument not understood:", key)
        super().__init__(kwargs.get("activity_regularizer"))
        self.trainable, self.built, self.input_spec = trainable, False, None
        self._dtype = None if dtype is None else dtypes.as_dtype(dtype).base_dtype.name
        self._base_name = name.name if isinstance(name, VariableScope) else name
        if isinstance(name, str) and name:
            self._name = name
        else:
            self._base_name = self._base_name or snake_case(type(self).__name__)
            self._name = _numbered(snake_case(type(self).__name__))
        self._current_scope: VariableScope | None = None
        self._scope: VariableScope | None = None
        if scope:
            with variable_scope(scope) as captured:
                self._scope = captured

    # ---- what a subclass defines

    def build(self, input_shape: Any) -> None:
        """Make the variables, given the shape of the inputs, in the structure of the inputs."""
        self.built = True

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """What the layer computes."""
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the result for inputs of a shape."""
        raise NotImplementedError(f"{type(self).__name__} does not say what shape it returns")

    # ---- names

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> str | None:
        return self._dtype

    @property
    def scope_name(self) -> str:
        """The name of the layer's variable scope.

        Raises:
          ValueError: it has not been called yet.
        """
        if self._scope is None:
            raise ValueError(
                f'No name available for layer scope because the layer "{self._name}" has not been '
                "used yet. The scope name is determined the first time the layer instance is "
                "called. You must therefore call the layer before querying `scope_name`."
            )
        return self._scope.name

    def _name_scope(self) -> str:
        assert self._current_scope is not None
        return self._current_scope.original_name_scope

    def _set_scope(self, scope: Any = None) -> None:
        """Decide the variable scope, if it is not decided yet."""
        if self._scope is not None:
            return
        if self._reuse:
            opened = variable_scope(scope if scope is not None else self._base_name)
        else:
            opened = variable_scope(scope, default_name=self._base_name)
        with opened as captured:
            self._scope = captured

    # ---- variables

    def add_weight(
        self,
        name: str,
        shape: Any,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Callable[..., Any] | None = None,
        trainable: bool | None = None,
        constraint: Callable[..., Any] | None = None,
        use_resource: bool | None = None,
        synchronization: Any = VariableSynchronization.AUTO,
        aggregation: Any = VariableAggregation.NONE,
        partitioner: Any = None,
    ) -> Any:
        """The variable `name` of the layer: made, or found where the layer or its scope reuses.

        dtype: by default the layer's, else float32. regularizer: its loss is one of the layer's,
        and in the collection of regularization losses, once per variable.

        Raises:
          ValueError: as `tf.get_variable`; or a variable that is synchronized when read is to be
          trained.
        """
        if synchronization == VariableSynchronization.ON_READ:
            if trainable:
                raise ValueError(
                    "Synchronization value can be set to VariableSynchronization.ON_READ only for "
                    "non-trainable variables. You have specified trainable=True and "
                    "synchronization=VariableSynchronization.ON_READ."
                )
            trainable = False
        trainable = self.trainable and (True if trainable is None else trainable)
        initializer = initializer_of(initializer)
        before = set(global_variables())
        self._set_scope(None)
        reuse = self.built or self._reuse
        with variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as scope:
            self._current_scope = scope
            with name_scope(self._name_scope()):
                variable = get_variable(
                    name,
                    shape=() if shape is None else shape,
                    dtype=dtype or self._dtype or dtypes.float32,
                    initializer=scope.initializer if initializer is None else initializer,
                    trainable=trainable,
                    constraint=constraint,
                    use_resource=use_resource,
                    synchronization=synchronization,
                    aggregation=aggregation,
                    partitioner=partitioner,
                )
                parts = list(variable) if isinstance(variable, PartitionedVariable) else [variable]
                for part in parts:
                    self._keep(part, trainable and part in trainable_variables())
                if regularizer is not None and parts[0] not in before:
                    with name_scope(f"{name}/Regularizer"):
                        loss = regularizer(variable)
                    if loss is not None:
                        self.add_loss(loss)
        return variable

    def add_variable(self, *args: Any, **kwargs: Any) -> Any:
        """Another name of `add_weight`."""
        return self.add_weight(*args, **kwargs)

    def count_params(self) -> int:
        """How many numbers the variables hold.

        Raises:
          ValueError: the layer is not built yet.
        """
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on {self.name}, but the layer isn't built. You "
                "can build it manually via: `" + self.name + ".build(batch_input_shape)`."
            )
        return sum(int(np.prod(v.get_shape().as_list())) for v in self.weights)

    # ---- calls

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The layer applied to `inputs`: a tensor, or tensors nested at will.

        scope: the variable scope of the layer, if this is its first call.

        Raises:
          ValueError: inputs that are not what `input_spec` demands, or `call` gave None.
        """
        self._set_scope(kwargs.pop("scope", None))
        reuse = True if self.built else self._reuse
        with variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as scope:
            self._current_scope = scope
            if "scope" in inspect.signature(self.call).parameters:
                kwargs["scope"] = scope
            if any(isinstance(x, np.ndarray | float | int) for x in nest.flatten(inputs)):
                inputs = nest.map_leaves(convert_to_tensor, inputs)
            with name_scope(self._name_scope()):
                check_inputs(self.input_spec, inputs, self.name)
                self._build_once(inputs)
                outputs = self.call(inputs, *args, **kwargs)
                if outputs is None:
                    raise ValueError(
                        "A layer's `call` method should return a Tensor or a list of Tensors, not "
                        f"None (layer: {self.name})."
                    )
                self._regularize_activity(inputs, outputs)
        _add_new(self.updates, GraphKeys.UPDATE_OPS)
        return outputs

    def apply(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The layer applied to `inputs`; the same as calling it."""
        return self(inputs, *args, **kwargs)

    def _build_once(self, inputs: Any) -> None:
        if self.built:
            return
        leaves = nest.flatten(inputs)
        if self._dtype is None and leaves and hasattr(leaves[0], "dtype"):
            self._dtype = leaves[0].dtype.base_dtype.name
        shapes = None
        if all(hasattr(x, "get_shape") for x in leaves):
            shapes = nest.map_leaves(lambda x: x.get_shape(), inputs)
        self.build(shapes)
        self.built = True
        check_inputs(self.input_spec, inputs, self.name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A layer of its own that starts from the same settings; what is in the graph is shared."""
        result = copy.copy(self)
        memo[id(self)] = result
        for key, value in self.__dict__.items():
            for leaf in nest.flatten(value):
                if isinstance(leaf, Tensor | Operation | VariableScope) or hasattr(leaf, "_ref"):
                    memo[id(leaf)] = leaf
            setattr(result, key, copy.deepcopy(value, memo))
        return result


def snake_case(name: str) -> str:
    """`BasicLSTMCell` as `basic_lstm_cell`."""
    parts = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    result = re.sub(r"([a-z])([A-Z])", r"\1_\2", parts).lower()
    return "private" + result if result.startswith("_") else result


def _numbered(name: str) -> str:
    """`name_1`, `name_2`, …: the layers of a graph that were given no name."""
    kept = get_default_graph().get_collection_ref(_NAME_COUNTS)
    if not kept:
        kept.append({})
    kept[0][name] = kept[0].get(name, 0) + 1
    return f"{name}_{kept[0][name]}"


def _add_new(elements: Sequence[Any], key: str) -> None:
    there = get_collection_ref(key)
    for element in elements:
        if not any(element is x for x in there):
            add_to_collection(key, element)


def last_dim(shape: Any) -> int | None:
    """The last extent of an input shape, None if it is not known."""
    dims = TensorShape(shape)
    if dims.ndims is None:
        return None
    extent: int | None = dims.as_list()[-1]
    return extent
