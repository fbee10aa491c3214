"""The base of optimizers: gradients of a loss, slots, and one update op per variable.

A subclass says how one variable is updated (`_apply_dense`, `_apply_sparse`), which slots it needs
(`_create_slots`), and what it converts to tensors once (`_prepare`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tfc.base import nest
from tfc.base.dtypes import DType, bfloat16, float16, float32, float64
from tfc.framework import gradients as gradients_lib
from tfc.framework.graph import (
    GraphKeys,
    add_to_collection,
    colocate_with,
    control_dependencies,
    convert_to_tensor,
    get_collection_ref,
    name_scope,
)
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import apply
from tfc.framework.operation import Operation, Tensor
from tfc.framework.variable_lists import trainable_variables
from tfc.framework.variables import Variable
from tfc.ops import cast_ops, control_ops, shape_ops, state_ops
from tfc.train import slot_creator

GradientsAndVariables = list[tuple[Any, Any]]


class Optimizer:
    """Base class of optimizers.

    Raises ValueError if `name` is empty.
    """

    GATE_NONE = 0
    GATE_OP = 1
    GATE_GRAPH = 2

    def __init__(self, use_locking: bool, name: str):
        if not name:
            raise ValueError("Must specify the optimizer name")
        self._use_locking, self._name = use_locking, name
        self._slots: dict[str, dict[Any, Variable]] = {}
        self._non_slots: list[Variable] = []

    def get_name(self) -> str:
        return self._name

    # ---- the two steps, and both at once

    def minimize(
        self,
        loss: Any,
        global_step: Any = None,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> Operation:
        """The op that takes one step down the gradient of `loss`, and counts `global_step`.

        Raises:
          ValueError: the loss depends on no variable.
        """
        pairs = self.compute_gradients(
            loss,
            var_list=var_list,
            gate_gradients=gate_gradients,
            aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
            grad_loss=grad_loss,
        )
        if all(grad is None for grad, _ in pairs):
            raise ValueError(
                "No gradients provided for any variable, check your graph for ops that do not "
                f"support gradients, between variables {[str(v) for _, v in pairs]} and loss "
                f"{loss}."
            )
        return self.apply_gradients(pairs, global_step=global_step, name=name)

    def compute_gradients(
        self,
        loss: Any,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> GradientsAndVariables:
        """(gradient or None, variable) for each variable or tensor of `var_list`, by default the
        trainable variables of the graph. A `loss` that is a function is called, and its gradients
        are, without `var_list`, of the trainable variables that it uses.

        Raises:
          TypeError: something in `var_list` is neither a variable nor a tensor.
          ValueError: there is no variable, or a dtype cannot be optimized.
        """
        if gate_gradients not in (self.GATE_NONE, self.GATE_OP, self.GATE_GRAPH):
            raise ValueError(
                "gate_gradients must be one of: Optimizer.GATE_NONE, Optimizer.GATE_OP, "
                f"Optimizer.GATE_GRAPH.  Not {gate_gradients}"
            )
        called = callable(loss) and not isinstance(loss, Tensor)
        if called:
            loss = convert_to_tensor(loss())
        self._assert_valid_dtypes([loss] if grad_loss is None else [loss, grad_loss])
        variables = trainable_variables() if var_list is None else nest.flatten(var_list)
        if not variables:
            raise ValueError("No variables to optimize.")
        grads = gradients_lib.gradients(
            loss,
            [v if isinstance(v, Tensor) else _reference(v) for v in variables],
            grad_ys=grad_loss,
            gate_gradients=gate_gradients == self.GATE_OP,
            aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
        )
        if gate_gradients == self.GATE_GRAPH:
            grads = control_ops.tuple_(grads)
        pairs = list(zip(grads, variables, strict=True))
        if called and var_list is None:
            pairs = [(g, v) for g, v in pairs if g is not None]
        self._assert_valid_dtypes([v for g, v in pairs if g is not None])
        return pairs

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Any, Any]],
        global_step: Any = None,
        name: str | None = None,
    ) -> Operation:
        """The op that updates the variables by their gradients, and counts `global_step`.

        Raises:
          NotImplementedError: a gradient of a tensor that is no variable.
          RuntimeError: a gradient of some rows of a variable that has a constraint.
          TypeError: a gradient is no tensor, or a variable is no variable.
          ValueError: there is no gradient.
        """
        pairs = [(_as_gradient(g), v) for g, v in grads_and_vars]
        if not pairs:
            raise ValueError("No variables provided.")
        variables = [v for g, v in pairs if g is not None]
        if not variables:
            names = [str(v) for _, v in pairs]
            raise ValueError(f"No gradients provided for any variable: {names}.")
        for variable in variables:
            if isinstance(variable, Tensor) and not variable.dtype.is_ref_dtype:
                raise NotImplementedError(f"Trying to update a Tensor {variable}")
            _reference(variable)
        with control_dependencies(None):
            self._create_slots(variables)
        with name_scope(name, self._name) as scope:
            self._prepare()
            updates = [self._update(g, v) for g, v in pairs if g is not None]
            if global_step is None:
                train_op = self._finish(updates, scope)
            else:
                done = self._finish(updates, "update")
                with control_dependencies([done]), colocate_with(global_step):
                    train_op = state_ops.assign_add(global_step, 1, name=scope).op
        if train_op not in get_collection_ref(GraphKeys.TRAIN_OP):
            add_to_collection(GraphKeys.TRAIN_OP, train_op)
        return train_op

    def _update(self, grad: Any, variable: Any) -> Operation:
        with name_scope("update_" + variable.op.name), colocate_with(variable):
            constraint = getattr(variable, "constraint", None)
            if isinstance(grad, IndexedSlices):
                if constraint is not None:
                    raise RuntimeError("Cannot use a constraint function on a sparse variable.")
                return self._apply_sparse_duplicate_indices(grad, variable)
            updated = self._apply_dense(grad, variable)
            if constraint is None:
                return updated
            with control_dependencies([updated]):
                projected: Operation = variable.assign(constraint(variable.read_value())).op
            return projected

    # ---- slots

    def get_slot(self, var: Any, name: str) -> Variable | None:
        """The slot `name` of a variable, None if there is none."""
        made = self._slots.get(name)
        return made.get(_key(var)) if made else None

    def get_slot_names(self) -> list[str]:
        """The names of the slots made so far, sorted."""
        return sorted(self._slots)

    def variables(self) -> list[Variable]:
        """The variables the optimizer made, in the order of their names."""
        made = [v for slots in self._slots.values() for v in slots.values()]
        return sorted(made + self._non_slots, key=lambda v: v.name)

    def _slot_dict(self, slot_name: str) -> dict[Any, Variable]:
        return self._slots.setdefault(slot_name, {})

    def _make_slot(self, var: Any, slot_name: str, make: Callable[[], Variable]) -> Variable:
        slots = self._slot_dict(slot_name)
        if _key(var) not in slots:
            slots[_key(var)] = make()
        return slots[_key(var)]

    def _zeros_slot(self, var: Any, slot_name: str, op_name: str) -> Variable:
        """The slot of a variable that starts as zeros, made if it does not exist."""
        return self._make_slot(var, slot_name, lambda: slot_creator.create_zeros_slot(var, op_name))

    def _constant_slot(self, var: Any, number: float, slot_name: str, op_name: str) -> Variable:
        """The slot of a variable that starts as `number` everywhere."""
        return self._make_slot(
            var, slot_name, lambda: slot_creator.create_constant_slot(var, number, op_name)
        )

    def _get_or_make_slot(self, var: Any, val: Any, slot_name: str, op_name: str) -> Variable:
        """The slot of a variable that starts as the tensor `val`."""
        dtype = val.dtype.base_dtype
        return self._make_slot(
            var, slot_name, lambda: slot_creator.create_slot(var, lambda: val, op_name, dtype)
        )

    # ---- what subclasses say

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        """Make the slots of these variables."""

    def _prepare(self) -> None:
        """Make the tensors that all updates share, in the optimizer's name scope."""

    def _apply_dense(self, grad: Tensor, var: Any) -> Operation:
        raise NotImplementedError

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Operation:
        """Update the rows of a variable that `grad` has, each of them once."""
        raise NotImplementedError

    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Operation:
        """Like `_apply_sparse`, where rows may occur several times: their gradients are summed."""
        values, indices = _summed(grad.values, grad.indices)
        return self._apply_sparse(IndexedSlices(values, indices, grad.dense_shape), var)

    def _finish(self, update_ops: Sequence[Operation], name_scope: str) -> Operation:
        """The op that is done when all updates are."""
        return control_ops.group(*update_ops, name=name_scope)

    def _valid_dtypes(self) -> set[DType]:
        return {float16, bfloat16, float32, float64}

    def _assert_valid_dtypes(self, tensors: Iterable[Any]) -> None:
        valid = self._valid_dtypes()
        for tensor in tensors:
            dtype = tensor.dtype.base_dtype
            if dtype not in valid:
                names = [d.name for d in sorted(valid, key=int)]
                raise ValueError(f"Invalid type {dtype!r} for {tensor.name}, expected: {names}.")

    def _in_dtype(self, tensor: Any, var: Any) -> Any:
        """A hyper-parameter in the dtype of a variable."""
        return cast_ops.cast(tensor, var.dtype.base_dtype)

    def _applied(self, op: str, *values: Any, **attrs: Any) -> Operation:
        """One update op."""
        result = apply(op, *values, use_locking=self._use_locking, **attrs)
        operation: Operation = result.op
        return operation


def value_of(number_or_function: Any) -> Any:
    """A hyper-parameter: what a function gives, or the value itself."""
    return number_or_function() if callable(number_or_function) else number_or_function


def _reference(variable: Any) -> Any:
    """What gradients of a variable are taken with respect to: its reference.

    Raises:
      TypeError: it is not a variable.
    """
    reference = getattr(variable, "_ref", None)
    if not callable(reference):
        raise TypeError(f"Argument is not a tf.Variable: {variable}")
    return reference()


def _as_gradient(grad: Any) -> Any:
    if grad is None or isinstance(grad, IndexedSlices):
        return grad
    try:
        return convert_to_tensor(grad)
    except TypeError as error:
        raise TypeError(
            f"Gradient must be convertible to a Tensor or IndexedSlices, or None: {grad}"
        ) from error


def _key(var: Any) -> Any:
    return var.op.graph, var.op.name


def _summed(values: Any, indices: Any) -> tuple[Any, Any]:
    """Rows with equal indices added up, and each index once."""
    unique, positions = apply("Unique", indices)
    count = shape_ops.shape(unique)[0]
    return apply("UnsortedSegmentSum", values, positions, count), unique
