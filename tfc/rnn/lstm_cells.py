"""LSTMStateTuple, BasicLSTMCell and LSTMCell."""

from __future__ import annotations

import collections
from typing import Any

from tfc.base import dtypes
from tfc.framework.partitioned import fixed_size_partitioner
from tfc.layers.identifiers import initializer_of
from tfc.layers.input_spec import InputSpec
from tfc.ops.array_ops import concat, constant, slice_, split
from tfc.ops.clip_ops import clip_by_value
from tfc.ops.init_ops import Zeros
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import bias_add
from tfc.ops.sum_ops import add, multiply
from tfc.ops.unary_api import sigmoid
from tfc.rnn.cell import (
    LayerRNNCell,
    activation_of,
    check_dtype,
    check_inputs_dtypes,
    known_depth,
)

_Pair = collections.namedtuple("_Pair", ("c", "h"))


class LSTMStateTuple(_Pair):
    """The state of an LSTM: the memory `c` and the output `h`."""

    __slots__ = ()

    @property
    def dtype(self) -> Any:
        """The dtype of both.

        Raises:
          TypeError: they have two.
        """
        c, h = self
        if c.dtype != h.dtype:
            raise TypeError(f"Inconsistent internal state: {c.dtype} vs {h.dtype}")
        return c.dtype


class BasicLSTMCell(LayerRNNCell):
    """Long short-term memory: `i, j, f, o = [inputs, h] · kernel + bias` split in four,
    `new_c = c · sigmoid(f + forget_bias) + sigmoid(i) · activation(j)` and
    `output = new_h = activation(new_c) · sigmoid(o)`.

    state_is_tuple: whether the state is an LSTMStateTuple, else c and h side by side.
    activation: tanh by default. Source: tensorflow/python/ops/rnn_cell_impl.py.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: bool | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        check_dtype(self.dtype)
        self.input_spec: Any = InputSpec(ndim=2)
        self._num_units, self._forget_bias = num_units, forget_bias
        self._state_is_tuple = state_is_tuple
        self._activation = activation_of(activation)

    @property
    def state_size(self) -> Any:
        if self._state_is_tuple:
            return LSTMStateTuple(self._num_units, self._num_units)
        return 2 * self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units

    def build(self, input_shape: Any) -> None:
        depth, units = known_depth(input_shape), self._num_units
        check_dtype(self.dtype)
        self._kernel = self.add_weight("kernel", shape=[depth + units, 4 * units])
        self._bias = self.add_weight("bias", shape=[4 * units], initializer=Zeros(dtype=self.dtype))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        check_inputs_dtypes(inputs, state)
        one = constant(1, dtype=dtypes.int32)
        if self._state_is_tuple:
            c, h = state
        else:
            c, h = split(value=state, num_or_size_splits=2, axis=one)
        gates = bias_add(matmul(concat([inputs, h], 1), self._kernel), self._bias)
        i, j, f, o = split(value=gates, num_or_size_splits=4, axis=one)
        forget = constant(self._forget_bias, dtype=f.dtype)
        new_c = add(multiply(c, sigmoid(add(f, forget))), multiply(sigmoid(i), self._activation(j)))
        new_h = multiply(self._activation(new_c), sigmoid(o))
        if self._state_is_tuple:
            return new_h, LSTMStateTuple(new_c, new_h)
        return new_h, concat([new_c, new_h], 1)


class LSTMCell(LayerRNNCell):
    """BasicLSTMCell with more to choose.

    use_peepholes: the gates see the memory, through `w_f_diag`, `w_i_diag`, `w_o_diag`.
    cell_clip: a bound of the memory's absolute values. initializer: of the matrices and peepholes.
    num_proj: the output is `projection/kernel` applied to it, of this size; proj_clip bounds that.
    num_unit_shards, num_proj_shards: deprecated: how many parts the kernel and the projection have.

    Source: tensorflow/python/ops/rnn_cell_impl.py.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        cell_clip: float | None = None,
        initializer: Any = None,
        num_proj: int | None = None,
        proj_clip: float | None = None,
        num_unit_shards: int | None = None,
        num_proj_shards: int | None = None,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: bool | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        check_dtype(self.dtype)
        self._partitioner = _partitioner(num_unit_shards)
        self._proj_partitioner = _partitioner(num_proj_shards)
        self.input_spec: Any = InputSpec(ndim=2)
        self._num_units, self._num_proj = num_units, num_proj
        self._use_peepholes, self._cell_clip = use_peepholes, cell_clip
        self._initializer = initializer_of(initializer)
        self._proj_clip, self._forget_bias = proj_clip, forget_bias
        self._state_is_tuple = state_is_tuple
        self._activation = activation_of(activation)
        self._output_size = num_proj or num_units

    @property
    def state_size(self) -> Any:
        if self._state_is_tuple:
            return LSTMStateTuple(self._num_units, self._output_size)
        return self._num_units + self._output_size

    @property
    def output_size(self) -> Any:
        return self._output_size

    def build(self, input_shape: Any) -> None:
        depth, units = known_depth(input_shape), self._num_units
        check_dtype(self.dtype)
        first = self._initializer
        self._kernel = self.add_weight(
            "kernel",
            shape=[depth + self._output_size, 4 * units],
            initializer=first,
            partitioner=self._partitioner,
        )
        self._bias = self.add_weight("bias", shape=[4 * units], initializer=Zeros(dtype=self.dtype))
        if self._use_peepholes:
            self._w_f_diag, self._w_i_diag, self._w_o_diag = (
                self.add_weight(f"w_{gate}_diag", shape=[units], initializer=first)
                for gate in "fio"
            )
        if self._num_proj is not None:
            self._proj_kernel = self.add_weight(
                "projection/kernel",
                shape=[units, self._num_proj],
                initializer=first,
                partitioner=self._proj_partitioner,
            )
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        check_inputs_dtypes(inputs, state)
        if self._state_is_tuple:
            c_prev, m_prev = state
        else:
            c_prev = slice_(state, [0, 0], [-1, self._num_units])
            m_prev = slice_(state, [0, self._num_units], [-1, self._output_size])
        gates = bias_add(matmul(concat([inputs, m_prev], 1), self._kernel), self._bias)
        i, j, f, o = split(value=gates, num_or_size_splits=4, axis=1)
        # The order of the ops is TensorFlow's, for their names.
        if self._use_peepholes:
            kept = sigmoid(f + self._forget_bias + self._w_f_diag * c_prev) * c_prev
            c = kept + sigmoid(i + self._w_i_diag * c_prev) * self._activation(j)
        else:
            c = sigmoid(f + self._forget_bias) * c_prev + sigmoid(i) * self._activation(j)
        if self._cell_clip is not None:
            c = clip_by_value(c, -self._cell_clip, self._cell_clip)
        if self._use_peepholes:
            o = o + self._w_o_diag * c
        m = self._projected(sigmoid(o) * self._activation(c))
        if self._state_is_tuple:
            return m, LSTMStateTuple(c, m)
        return m, concat([c, m], 1)

    def _projected(self, m: Any) -> Any:
        if self._num_proj is None:
            return m
        m = matmul(m, self._proj_kernel)
        if self._proj_clip is None:
            return m
        return clip_by_value(m, -self._proj_clip, self._proj_clip)


def _partitioner(shards: int | None) -> Any:
    return None if shards is None else fixed_size_partitioner(shards)
