"""BasicDecoder: a cell whose inputs a Helper chooses."""

from __future__ import annotations

import collections
from typing import Any

from tfc.base import nest
from tfc.base.shapes import TensorShape
from tfc.framework.graph import name_scope
from tfc.layers.base import Layer
from tfc.rnn.cell import check_cell
from tfc.seq2seq.decoder import Decoder, Steps
from tfc.seq2seq.helpers import Helper, TrainingHelper
from tfc.seq2seq.scheduled import (
    ScheduledEmbeddingTrainingHelper,
    ScheduledOutputTrainingHelper,
)

_COUNTED = (TrainingHelper, ScheduledEmbeddingTrainingHelper, ScheduledOutputTrainingHelper)
"""Helpers whose sequences end where their lengths say; one derived from them may do else."""

_Output = collections.namedtuple("_Output", ("rnn_output", "sample_id"))


class BasicDecoderOutput(_Output):
    """What BasicDecoder gives at a step: the output of the cell, and what was sampled from it."""

    __slots__ = ()


class BasicDecoder(Decoder):
    """`cell`, from `initial_state` on, with inputs that `helper` chooses.

    output_layer: applied to the outputs before anything is sampled from them.

    Raises:
      TypeError: an argument is no cell, Helper or Layer.

    Source: tensorflow/contrib/seq2seq/python/ops/basic_decoder.py.
    """

    def __init__(self, cell: Any, helper: Any, initial_state: Any, output_layer: Any = None):
        check_cell("cell", cell)
        if not isinstance(helper, Helper):
            raise TypeError(f"helper must be a Helper, received: {type(helper)}")
        if output_layer is not None and not isinstance(output_layer, Layer):
            raise TypeError(f"output_layer must be a Layer, received: {type(output_layer)}")
        self._cell, self._helper, self._initial_state = cell, helper, initial_state
        self._output_layer = output_layer

    @property
    def batch_size(self) -> Any:
        return self._helper.batch_size

    def _rnn_output_size(self) -> Any:
        size = self._cell.output_size
        if self._output_layer is None:
            return size
        shapes = nest.map_leaves(lambda s: TensorShape([None]).concatenate(TensorShape(s)), size)
        return nest.map_leaves(lambda s: s[1:], self._output_layer.compute_output_shape(shapes))

    @property
    def output_size(self) -> Any:
        return BasicDecoderOutput(
            rnn_output=self._rnn_output_size(), sample_id=self._helper.sample_ids_shape
        )

    @property
    def output_dtype(self) -> Any:
        dtype = nest.flatten(self._initial_state)[0].dtype
        return BasicDecoderOutput(
            nest.map_leaves(lambda _: dtype, self._rnn_output_size()),
            self._helper.sample_ids_dtype,
        )

    def _steps(self, bound: Any) -> Steps:
        helper = self._helper
        if type(self) is not BasicDecoder or type(helper) not in _COUNTED:
            return super()._steps(bound)
        assert isinstance(helper, TrainingHelper)
        return helper.steps(bound)

    def initialize(self, name: str | None = None) -> Any:
        return (*self._helper.initialize(), self._initial_state)

    def step(self, time: Any, inputs: Any, state: Any, name: str | None = None) -> Any:
        with name_scope(name, "BasicDecoderStep", [time]):
            outputs, cell_state = self._cell(inputs, state)
            if self._output_layer is not None:
                outputs = self._output_layer(outputs)
            ids = self._helper.sample(time=time, outputs=outputs, state=cell_state)
            finished, next_inputs, next_state = self._helper.next_inputs(
                time=time, outputs=outputs, state=cell_state, sample_ids=ids
            )
        return BasicDecoderOutput(outputs, ids), next_state, next_inputs, finished
