"""ConvLSTMCell, Conv1DLSTMCell, Conv2DLSTMCell, Conv3DLSTMCell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.variable_scope import get_variable
from tfc.ops.array_ops import concat, split
from tfc.ops.conv_functions import conv1d
from tfc.ops.conv_ops import conv2d, conv3d
from tfc.ops.init_ops import Constant
from tfc.ops.unary_api import sigmoid, tanh
from tfc.rnn.cell import RNNCell
from tfc.rnn.lstm_cells import LSTMStateTuple


class ConvLSTMCell(RNNCell):
    """An LSTM whose products are convolutions, for states that have places: the gates
    `i, j, f, o` are the channels of a convolution of inputs and hidden state, side by side, with
    `kernel`, padded to the same size, and of `biases`.

    conv_ndims: how many axes of places there are, 1 to 3. input_shape: of an input, a list of
    their extents and the number of channels. output_channels: of state and output. kernel_shape:
    extents of the kernel. use_bias: whether there are biases, which start at zero.
    skip_connection: whether the inputs are appended to the channels of the output; the new state
    has them, too, so that only a single step is possible. initializers: not used.

    Raises:
      ValueError: input_shape has not conv_ndims + 1 numbers; when called, inputs or state that
      are of rank 2 or above 5, or of two ranks.

    Source: X. Shi et al., Convolutional LSTM network, 2015 (arXiv:1506.04214);
    tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self,
        conv_ndims: int,
        input_shape: list[int],
        output_channels: int,
        kernel_shape: Sequence[int],
        use_bias: bool = True,
        skip_connection: bool = False,
        forget_bias: float = 1.0,
        initializers: Any = None,
        name: str | None = "conv_lstm_cell",
    ):
        super().__init__(name=name)
        if conv_ndims != len(input_shape) - 1:
            raise ValueError(f"Invalid input_shape {input_shape} for conv_ndims={conv_ndims}.")
        self._conv_ndims, self._kernel_shape = conv_ndims, list(kernel_shape)
        self._output_channels, self._use_bias = output_channels, use_bias
        self._forget_bias, self._skip_connection = forget_bias, skip_connection
        places, channels = input_shape[:-1], output_channels
        self._hidden_shape = TensorShape(places + [channels])
        if skip_connection:
            channels += input_shape[-1]
        self._output_size = TensorShape([*places, channels])

    @property
    def output_size(self) -> Any:
        return self._output_size

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._hidden_shape, self._hidden_shape)

    def call(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        memory, hidden = state
        gates = self._convolved([inputs, hidden], 4 * self._output_channels)
        i, j, f, o = split(value=gates, num_or_size_splits=4, axis=self._conv_ndims + 1)
        new_memory = sigmoid(f + self._forget_bias) * memory
        new_memory += sigmoid(i) * tanh(j)
        output = tanh(new_memory) * sigmoid(o)
        if self._skip_connection:
            output = concat([output, inputs], axis=-1)
        return output, LSTMStateTuple(new_memory, output)

    def _convolved(self, args: list[Tensor], features: int) -> Tensor:
        shapes = [x.get_shape().as_list() for x in args]
        rank = len(shapes[0])
        depth: Any = 0
        for shape in shapes:
            if len(shape) not in (3, 4, 5):
                raise ValueError(f"Conv Linear expects 3D, 4D or 5D arguments: {shapes}")
            if len(shape) != rank:
                raise ValueError(f"Conv Linear expects all args to be of same Dimension: {shapes}")
            depth += shape[-1]
        dtype = args[0].dtype.base_dtype
        kernel = get_variable("kernel", [*self._kernel_shape, depth, features], dtype=dtype)
        x = concat(axis=rank - 1, values=args)
        if rank == 3:
            result = conv1d(x, kernel, 1, padding="SAME")
        else:
            apply = conv2d if rank == 4 else conv3d
            result = apply(x, kernel, [1] * rank, padding="SAME")
        if not self._use_bias:
            return result
        start = Constant(0.0, dtype=dtype)
        return result + get_variable("biases", [features], dtype=dtype, initializer=start)


class Conv1DLSTMCell(ConvLSTMCell):
    """ConvLSTMCell for inputs of shape [batch, width, channels]."""

    def __init__(self, name: str | None = "conv_1d_lstm_cell", **kwargs: Any):
        super().__init__(conv_ndims=1, name=name, **kwargs)


class Conv2DLSTMCell(ConvLSTMCell):
    """ConvLSTMCell for inputs of shape [batch, height, width, channels]."""

    def __init__(self, name: str | None = "conv_2d_lstm_cell", **kwargs: Any):
        super().__init__(conv_ndims=2, name=name, **kwargs)


class Conv3DLSTMCell(ConvLSTMCell):
    """ConvLSTMCell for inputs of shape [batch, depth, height, width, channels]."""

    def __init__(self, name: str | None = "conv_3d_lstm_cell", **kwargs: Any):
        super().__init__(conv_ndims=3, name=name, **kwargs)
