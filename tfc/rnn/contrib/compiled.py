"""CompiledWrapper: a cell whose ops are compiled."""

from __future__ import annotations

from typing import Any

from tfc.framework.graph import name_scope
from tfc.rnn.cell import RNNCell


class CompiledWrapper(RNNCell):
    """`cell`, with its variables under its names. In TensorFlow its ops are compiled together;
    here those of every cell are, so that it computes what `cell` does, at the same speed.

    compile_stateful: whether ops that have a state are, too; all are.

    Source: tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(self, cell: Any, compile_stateful: bool = False):
        super().__init__()
        self._cell = cell

    @property
    def state_size(self) -> Any:
        return self._cell.state_size

    @property
    def output_size(self) -> Any:
        return self._cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(type(self).__name__ + "ZeroState"):
            return self._cell.zero_state(batch_size, dtype)

    def __call__(self, inputs: Any, state: Any, scope: Any = None, **kwargs: Any) -> Any:
        return self._cell(inputs, state, scope=scope)
