"""CoupledInputForgetGateLSTMCell and TimeFreqLSTMCell, and matrices of several variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.framework.graph import GraphKeys, Tensor, add_to_collection, get_collection
from tfc.framework.variable_scope import get_variable, get_variable_scope, variable_scope
from tfc.ops.array_ops import concat, slice_, split, zeros
from tfc.ops.clip_ops import clip_by_value
from tfc.ops.init_ops import Constant, Zeros
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import batch_normalization, bias_add, moments
from tfc.ops.unary_api import sigmoid, tanh
from tfc.rnn.cell import RNNCell
from tfc.rnn.contrib.gated import matrix_depth
from tfc.rnn.lstm_cells import LSTMStateTuple


def sharded_matrix(name: str, shape: list[int], dtype: Any, shards: int) -> Any:
    """A matrix of variables `name_0`, `name_1`, …, whose rows it is cut into: the first ones are a
    row longer if they do not divide evenly. Several are joined by an op `name/concat`, which is
    in the collection of concatenated variables and found there again.

    Raises:
      ValueError: more parts than rows.
    """
    if shards > shape[0]:
        raise ValueError(f"Too many shards: shape={shape}, num_shards={shards}")
    rows, longer = divmod(shape[0], shards)
    dtype = dtype.base_dtype
    parts = [
        get_variable(f"{name}_{i}", [rows + (i < longer), *shape[1:]], dtype=dtype)
        for i in range(shards)
    ]
    if len(parts) == 1:
        return parts[0]
    full_name = f"{get_variable_scope().name}/{name}/concat:0"
    for kept in get_collection(GraphKeys.CONCATENATED_VARIABLES):
        if kept.name == full_name:
            return kept
    joined = concat(parts, 0, name=f"{name}/concat")
    add_to_collection(GraphKeys.CONCATENATED_VARIABLES, joined)
    return joined


def clipped(x: Tensor, bound: float | None) -> Tensor:
    """`x` within ±bound, or as it is."""
    return x if bound is None else clip_by_value(x, -bound, bound)


class CoupledInputForgetGateLSTMCell(RNNCell):
    """An LSTM that takes in as much as it forgets: `j, f, o = [inputs, m] · W + B`,
    `f = sigmoid(f + forget_bias)`, `new_c = f * c + (1 - f) * activation(j)`,
    `new_m = sigmoid(o) * activation(new_c)`.

    use_peepholes: `f` sees the memory through `W_F_diag`, `o` the new one through `W_O_diag`.
    num_proj: the output is mapped to this size by `W_P`, and bounded by proj_clip.
    num_unit_shards, num_proj_shards: how many variables W and W_P are cut into.
    state_is_tuple: whether the state is an LSTMStateTuple, else c and m side by side.
    layer_norm: whether j, f, o and the new memory are normalized, in place of B; their `gamma`
    starts at norm_gain, `beta` at norm_shift. These are float32, so inputs have to be, too.
    initializer: not used; variables start as their scope says.

    Source: K. Greff et al., LSTM: a search space odyssey, 2015 (arXiv:1503.04069);
    tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        initializer: Any = None,
        num_proj: int | None = None,
        proj_clip: float | None = None,
        num_unit_shards: int = 1,
        num_proj_shards: int = 1,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Callable[..., Any] = tanh,
        reuse: bool | None = None,
        layer_norm: bool = False,
        norm_gain: float = 1.0,
        norm_shift: float = 0.0,
    ):
        super().__init__(_reuse=reuse)
        self._num_units, self._use_peepholes = num_units, use_peepholes
        self._num_proj, self._proj_clip = num_proj, proj_clip
        self._num_unit_shards, self._num_proj_shards = num_unit_shards, num_proj_shards
        self._forget_bias, self._activation = forget_bias, activation
        self._state_is_tuple = state_is_tuple
        self._layer_norm, self._norm_gain, self._norm_shift = layer_norm, norm_gain, norm_shift
        self._output_size = num_proj or num_units

    @property
    def state_size(self) -> Any:
        if self._state_is_tuple:
            return LSTMStateTuple(self._num_units, self._output_size)
        return self._num_units + self._output_size

    @property
    def output_size(self) -> Any:
        return self._output_size

    def call(self, inputs: Any, state: Any) -> Any:
        units = self._num_units
        width = units if self._num_proj is None else self._num_proj
        if self._state_is_tuple:
            c_prev, m_prev = state
        else:
            c_prev = slice_(state, [0, 0], [-1, units])
            m_prev = slice_(state, [0, units], [-1, width])
        dtype = inputs.dtype.base_dtype
        rows = matrix_depth(inputs) + width
        kernel = sharded_matrix("W", [rows, 3 * units], dtype, self._num_unit_shards)
        bias = get_variable("B", shape=[3 * units], initializer=Zeros(), dtype=dtype)
        gates = matmul(concat([inputs, m_prev], 1), kernel)
        if not self._layer_norm:
            gates = bias_add(gates, bias)
        j, f, o = split(value=gates, num_or_size_splits=3, axis=1)
        j, f, o = self._norm(j, "transform"), self._norm(f, "forget"), self._norm(o, "output")
        forget = f + self._forget_bias
        if self._use_peepholes:
            w_f = get_variable("W_F_diag", shape=[units], dtype=dtype)
            w_o = get_variable("W_O_diag", shape=[units], dtype=dtype)
            forget = forget + w_f * c_prev
        kept = sigmoid(forget)
        c = self._norm(kept * c_prev + (1 - kept) * self._activation(j), "state")
        if self._use_peepholes:
            o = o + w_o * c
        m = self._projected(sigmoid(o) * self._activation(c), dtype)
        return m, LSTMStateTuple(c, m) if self._state_is_tuple else concat([c, m], 1)

    def _projected(self, m: Tensor, dtype: Any) -> Tensor:
        if self._num_proj is None:
            return m
        shape = [self._num_units, self._num_proj]
        m = matmul(m, sharded_matrix("W_P", shape, dtype, self._num_proj_shards))
        return clipped(m, self._proj_clip)

    def _norm(self, x: Tensor, name: str) -> Tensor:
        if not self._layer_norm:
            return x
        shape, dtype = x.get_shape()[-1:], x.dtype.base_dtype
        with variable_scope(name):
            get_variable("gamma", shape, initializer=Constant(self._norm_gain))
            get_variable("beta", shape, initializer=Constant(self._norm_shift))
        with variable_scope(name, reuse=True):
            beta, gamma = get_variable("beta", shape, dtype), get_variable("gamma", shape, dtype)
            mean, variance = moments(x, [1], keep_dims=True)
            epsilon = 1e-3 if dtype.name == "float16" else 1e-12
            return batch_normalization(x, mean, variance, beta, gamma, epsilon)


class TimeFreqLSTMCell(RNNCell):
    """An LSTM over time and over frequency: the inputs are cut into windows of feature_size
    columns, frequency_skip apart, and each is a step whose gates see the window, the output at
    this window one time step before, and the output of the window before it:
    `i, j, f, o = [window, m, m of the window before] · W + B`. State and outputs of the windows
    stand side by side: (c, m) of the first, (c, m) of the second, …

    use_peepholes: gates see the memory, through `W_F_diag`, `W_I_diag`, `W_O_diag`. cell_clip: a
    bound of the memory's absolute values. num_unit_shards: how many variables W is cut into.
    initializer: not used; variables start as their scope says.

    `state_size` and `output_size` are those of one window, as in TensorFlow; the state that is
    passed has to have 2 * num_units columns for each window.

    Raises, when called:
      ValueError: inputs that are no matrix, or whose width is not known.
      TypeError: the batch size is not known.

    Source: T. Sainath and B. Li, Modeling time-frequency patterns with LSTM vs. convolutional
    architectures for LVCSR tasks, 2016; tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        cell_clip: float | None = None,
        initializer: Any = None,
        num_unit_shards: int = 1,
        forget_bias: float = 1.0,
        feature_size: int | None = None,
        frequency_skip: int = 1,
        reuse: bool | None = None,
    ):
        super().__init__(_reuse=reuse)
        self._num_units, self._use_peepholes = num_units, use_peepholes
        self._cell_clip, self._num_unit_shards = cell_clip, num_unit_shards
        self._forget_bias = forget_bias
        self._feature_size, self._frequency_skip = feature_size, frequency_skip

    @property
    def output_size(self) -> Any:
        return self._num_units

    @property
    def state_size(self) -> Any:
        return 2 * self._num_units

    def call(self, inputs: Any, state: Any) -> Any:
        windows = self._windows(inputs)
        units, dtype = self._num_units, inputs.dtype.base_dtype
        width: Any = windows[0].get_shape().as_list()[1]
        rows = width + 2 * units
        kernel = sharded_matrix("W", [rows, 4 * units], dtype, self._num_unit_shards)
        bias = get_variable("B", shape=[4 * units], initializer=Zeros(), dtype=dtype)
        peepholes = None
        if self._use_peepholes:
            peepholes = [
                get_variable(f"W_{gate}_diag", shape=[units], dtype=dtype) for gate in "FIO"
            ]
        batch = inputs.get_shape().as_list()[0]
        if batch is None:
            raise TypeError(
                f"{self.name}: the batch size has to be known, but the inputs are of shape "
                f"{inputs.get_shape()}"
            )
        beside, outputs, states = zeros([batch, units], dtype), [], []
        for number, window in enumerate(windows):
            c_prev = slice_(state, [0, 2 * number * units], [-1, units])
            m_prev = slice_(state, [0, (2 * number + 1) * units], [-1, units])
            gates = bias_add(matmul(concat([window, m_prev, beside], 1), kernel), bias)
            c, beside = self._step(gates, c_prev, peepholes)
            outputs.append(beside)
            states += [c, beside]
        return _joined(outputs), concat(states, 1)

    def _step(self, gates: Tensor, c_prev: Tensor, peepholes: Any) -> tuple[Tensor, Tensor]:
        i, j, f, o = split(value=gates, num_or_size_splits=4, axis=1)
        # The order of the ops is TensorFlow's, for their names.
        if peepholes is None:
            c = sigmoid(f + self._forget_bias) * c_prev + sigmoid(i) * tanh(j)
            c = clipped(c, self._cell_clip)
            return c, sigmoid(o) * tanh(c)
        w_f, w_i, w_o = peepholes
        kept = sigmoid(f + self._forget_bias + w_f * c_prev) * c_prev
        c = clipped(kept + sigmoid(i + w_i * c_prev) * tanh(j), self._cell_clip)
        return c, sigmoid(o + w_o * c) * tanh(c)

    def _windows(self, inputs: Any) -> list[Tensor]:
        width = inputs.get_shape().with_rank(2).as_list()[1]
        if width is None:
            raise ValueError("Cannot infer input_size from static shape inference.")
        size: Any = self._feature_size
        count = int((width - size) / self._frequency_skip) + 1
        return [slice_(inputs, [0, f * self._frequency_skip], [-1, size]) for f in range(count)]


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else concat(parts, 1)
