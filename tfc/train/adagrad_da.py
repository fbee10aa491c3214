"""Adagrad by dual averaging."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import convert_to_tensor
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.operation import Operation, Tensor
from tfc.ops import cast_ops, const_ops
from tfc.train.optimizer import Optimizer


class AdagradDAOptimizer(Optimizer):
    """The variable is what the sum of all gradients, shrunk by L1 and L2, says at every step.

    global_step: the steps done so far, an integer tensor or variable; L1 and L2 grow with it.

    Raises ValueError unless `initial_gradient_squared_accumulator_value` is positive.
    """

    def __init__(
        self,
        learning_rate: Any,
        global_step: Any,
        initial_gradient_squared_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "AdagradDA",
    ):
        if initial_gradient_squared_accumulator_value <= 0.0:
            raise ValueError(
                "initial_gradient_squared_accumulator_value must be positive: "
                f"{initial_gradient_squared_accumulator_value}"
            )
        super().__init__(use_locking, name)
        self._learning_rate, self._global_step = learning_rate, global_step
        self._start = initial_gradient_squared_accumulator_value
        self._strengths = l1_regularization_strength, l2_regularization_strength
        self._learning_rate_tensor: Any = None
        self._global_step_on_worker: Any = None

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for var in var_list:
            self._constant_slot(var, 0.0, "gradient_accumulator", self._name)
            self._constant_slot(var, self._start, "gradient_squared_accumulator", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = convert_to_tensor(self._learning_rate, name="learning_rate")
        step = cast_ops.cast(const_ops.identity(self._global_step), dtypes.int64)
        self._global_step_on_worker = step + 1

    def _references(self, var: Any) -> list[Any]:
        names = ("gradient_accumulator", "gradient_squared_accumulator")
        slots = [self.get_slot(var, name) for name in names]
        return [var._ref(), *(slot._ref() for slot in slots if slot is not None)]

    def _numbers(self, var: Any) -> list[Any]:
        numbers = [self._in_dtype(v, var) for v in (self._learning_rate_tensor, *self._strengths)]
        return [*numbers, self._global_step_on_worker]

    def _apply_dense(self, grad: Tensor, var: Any) -> Operation:
        return self._applied("ApplyAdagradDA", *self._references(var), grad, *self._numbers(var))

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Operation:
        return self._applied(
            "SparseApplyAdagradDA",
            *self._references(var),
            grad.values,
            grad.indices,
            *self._numbers(var),
        )
