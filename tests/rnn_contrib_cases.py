"""Cells of tf.contrib, with arguments, and how the tests of them run and compare them."""

from __future__ import annotations

import numpy as np

import tfc as tf
from tests.rnn_recorded import RECORDED

rnn, cudnn, grid = tf.contrib.rnn, tf.contrib.cudnn_rnn, tf.contrib.grid_rnn
GRID = {"feature_size": 2, "frequency_skip": 1, "num_frequency_blocks": [3]}
BLOCKS = {
    "feature_size": 2, "frequency_skip": 1, "num_frequency_blocks": [2, 1],
    "start_freqindex_list": [0, 3], "end_freqindex_list": [3, 5],
}  # fmt: skip
LIKE = tf.constant_initializer
FLAT, WIDE, IMAGE = (3, 2), (3, 4), (2, 3, 4, 1)
TIMED = [(3, 1), (3, 2)]

# For each name: how the cell is made, and the shape of its inputs.
CASES = {
    "ugrnn": (lambda: rnn.UGRNNCell(4, forget_bias=0.5), FLAT),
    "ugrnn_init": (lambda: rnn.UGRNNCell(3, initializer=LIKE(0.3), activation=tf.sigmoid), FLAT),
    "inter": (lambda: rnn.IntersectionRNNCell(2), FLAT),
    "inter_proj": (lambda: rnn.IntersectionRNNCell(4, 4, LIKE(0.3), y_activation=tf.tanh), FLAT),
    "ind": (lambda: rnn.IndRNNCell(4), FLAT),
    "ind_act": (lambda: rnn.IndRNNCell(4, activation=tf.nn.relu, name="mine"), FLAT),
    "indygru": (lambda: rnn.IndyGRUCell(4), FLAT),
    "indygru_i": (lambda: rnn.IndyGRUCell(4, tf.sigmoid, None, LIKE(0.1), LIKE(0.2)), FLAT),
    "indylstm": (lambda: rnn.IndyLSTMCell(4), FLAT),
    "indylstm_i": (
        lambda: rnn.IndyLSTMCell(3, 0.2, kernel_initializer="ones", bias_initializer=LIKE(0.2)),
        FLAT,
    ),
    "sru": (lambda: rnn.SRUCell(4), FLAT),
    "sru_a": (lambda: rnn.SRUCell(4, activation=tf.sigmoid, name="q"), FLAT),
    "cudnn_gru": (lambda: cudnn.CudnnCompatibleGRUCell(4), FLAT),
    "cudnn_gru_k": (lambda: cudnn.CudnnCompatibleGRUCell(4, kernel_initializer=LIKE(0.1)), FLAT),
    "cudnn_lstm_32": (lambda: cudnn.CudnnCompatibleLSTMCell(4), FLAT),
    "cifg": (lambda: rnn.CoupledInputForgetGateLSTMCell(4), FLAT),
    "cifg_peep": (
        lambda: rnn.CoupledInputForgetGateLSTMCell(
            4, True, None, 3, 0.2, num_unit_shards=2, num_proj_shards=3, state_is_tuple=False
        ),
        FLAT,
    ),
    "cifg_shards": (
        lambda: rnn.CoupledInputForgetGateLSTMCell(4, True, LIKE(0.2), num_unit_shards=4),
        FLAT,
    ),
    "cifg_ln_32": (
        lambda: rnn.CoupledInputForgetGateLSTMCell(
            4, layer_norm=True, norm_gain=0.5, norm_shift=0.2
        ),
        FLAT,
    ),
    "tf": (lambda: rnn.TimeFreqLSTMCell(2, feature_size=2), WIDE),
    "tf_peep": (
        lambda: rnn.TimeFreqLSTMCell(
            2, True, 0.3, feature_size=2, frequency_skip=2, num_unit_shards=3, forget_bias=0.3
        ),
        (3, 6),
    ),
    "glstm": (lambda: rnn.GLSTMCell(4, number_of_groups=2), WIDE),
    "glstm_p": (lambda: rnn.GLSTMCell(6, LIKE(0.2), 4, 2, 0.2, tf.sigmoid), WIDE),
    "phased_32": (lambda: rnn.PhasedLSTMCell(4), TIMED),
    "phased_p_32": (lambda: rnn.PhasedLSTMCell(4, True, 0.1, 0.5, False, 2.0, 5.0), TIMED),
    "conv1": (
        lambda: rnn.Conv1DLSTMCell(input_shape=[4, 2], output_channels=2, kernel_shape=[3]),
        (2, 4, 2),
    ),
    "conv2": (
        lambda: rnn.Conv2DLSTMCell(
            input_shape=[3, 4, 1], output_channels=2, kernel_shape=[2, 3], use_bias=False,
            forget_bias=0.3,
        ),
        IMAGE,
    ),
    "conv2skip": (
        lambda: rnn.Conv2DLSTMCell(
            input_shape=[3, 4, 1], output_channels=2, kernel_shape=[2, 3], skip_connection=True
        ),
        IMAGE,
    ),
    "conv3": (
        lambda: rnn.Conv3DLSTMCell(
            input_shape=[2, 2, 3, 1], output_channels=2, kernel_shape=(2, 1, 2)
        ),
        (2, 2, 2, 3, 1),
    ),
    "conv": (lambda: rnn.ConvLSTMCell(2, [3, 4, 1], 2, [1, 1]), IMAGE),
    "grid": (lambda: rnn.GridLSTMCell(2, **GRID), WIDE),
    "grid_peep": (
        lambda: rnn.GridLSTMCell(2, True, False, 0.4, None, 2, forget_bias=0.4, **GRID),
        WIDE,
    ),
    "grid_share": (lambda: rnn.GridLSTMCell(2, True, True, state_is_tuple=False, **GRID), WIDE),
    "grid_couple": (
        lambda: rnn.GridLSTMCell(2, True, couple_input_forget_gates=True, **GRID),
        WIDE,
    ),
    "grid_cs": (
        lambda: rnn.GridLSTMCell(2, False, True, couple_input_forget_gates=True, **GRID),
        WIDE,
    ),
    "grid_blocks": (lambda: rnn.GridLSTMCell(2, **BLOCKS), (3, 5)),
    "grid_blocks_flat": (lambda: rnn.GridLSTMCell(2, state_is_tuple=False, **BLOCKS), (3, 5)),
    "bigrid": (lambda: rnn.BidirectionalGridLSTMCell(2, **GRID), WIDE),
    "bigrid_off": (
        lambda: rnn.BidirectionalGridLSTMCell(2, True, backward_slice_offset=1, **GRID),
        WIDE,
    ),
    "bigrid_neg": (
        lambda: rnn.BidirectionalGridLSTMCell(
            2, backward_slice_offset=-1, couple_input_forget_gates=True, **GRID
        ),
        WIDE,
    ),
    "g1rnn": (lambda: grid.Grid1BasicRNNCell(2), FLAT),
    "g2rnn": (lambda: grid.Grid2BasicRNNCell(2), FLAT),
    "g2rnn_tied": (lambda: grid.Grid2BasicRNNCell(2, tied=True), FLAT),
    "g2rnn_relu": (lambda: grid.Grid2BasicRNNCell(2, non_recurrent_fn=tf.nn.relu), FLAT),
    "g1blstm": (lambda: grid.Grid1BasicLSTMCell(2, forget_bias=0.5), FLAT),
    "g2blstm": (
        lambda: grid.Grid2BasicLSTMCell(2, True, state_is_tuple=False, output_is_tuple=False),
        FLAT,
    ),
    "g2blstm_relu": (lambda: grid.Grid2BasicLSTMCell(2, non_recurrent_fn=tf.nn.relu), FLAT),
    "g1lstm": (lambda: grid.Grid1LSTMCell(2, use_peepholes=True, forget_bias=0.3), FLAT),
    "g2lstm": (lambda: grid.Grid2LSTMCell(2, use_peepholes=True), FLAT),
    "g2lstm_flat": (lambda: grid.Grid2LSTMCell(2, state_is_tuple=False), FLAT),
    "g3lstm": (lambda: grid.Grid3LSTMCell(2, forget_bias=0.3), FLAT),
    "g3lstm_tied": (lambda: grid.Grid3LSTMCell(2, tied=True, output_is_tuple=False), FLAT),
    "g3lstm_relu": (lambda: grid.Grid3LSTMCell(2, non_recurrent_fn=tf.nn.relu), FLAT),
    "g2gru": (lambda: grid.Grid2GRUCell(2), FLAT),
    "g": (lambda: grid.GridRNNCell(2, 3, [0, 2], [1, 0], 1), FLAT),
    "g_noin": (
        lambda: grid.GridRNNCell(2, 2, output_dims=[0, 1], cell_fn=tf.nn.rnn_cell.GRUCell),
        FLAT,
    ),
    "g_nr1": (lambda: grid.GridRNNCell(2, 1, [0], [0], non_recurrent_dims=[0]), FLAT),
}  # fmt: skip


def pattern(shape, scale=1.0, dtype=np.float64):
    """Numbers that are not random, of any shape."""
    count = int(np.prod(shape))
    return ((np.arange(count) * 7 % 11 - 5) * 0.1 * scale).reshape(shape).astype(dtype)


def mark(x):
    """One number that tells arrays apart."""
    x = np.asarray(x, np.float64).ravel()
    return float(x @ np.cos(np.arange(x.size)))


def flat(structure):
    return tf.nest.flatten(structure)


class Built:
    """A case in the current graph and a Session: a step, or `dynamic_rnn` over three of them."""

    def __init__(self, name, session, loop=False, unknown=False):
        make, shape = CASES[name]
        self.dtype = np.float32 if name.endswith("_32") else np.float64
        self.tolerance = 3e-5 if self.dtype == np.float32 else 1e-8
        self.session, self.cell = session, make()
        shapes = shape if isinstance(shape, list) else [shape]
        data = [
            pattern(((3,) if loop else ()) + tuple(s), 2 + i, self.dtype)
            for i, s in enumerate(shapes)
        ]
        free = 2 if loop else 1
        self.inputs = [
            tf.placeholder_with_default(x, [None] * free + list(x.shape[free:]))
            if unknown
            else tf.constant(x)
            for x in data
        ]
        x = tuple(self.inputs) if isinstance(shape, list) else self.inputs[0]
        batch = shapes[0][0]
        if loop:
            self.output, self.state = tf.nn.dynamic_rnn(
                self.cell, x, [2] + [3] * (batch - 1), dtype=self.dtype, time_major=True
            )
            self.sources = self.inputs
        else:
            state = self._states(batch)
            self.output, self.state = self.cell(x, state)
            self.sources = self.inputs + flat(state)
        self.results = [*flat(self.output), *flat(self.state)]
        terms = [
            tf.reduce_sum(y * (-1.5 * (1 + i)) + tf.square(y)) for i, y in enumerate(self.results)
        ]
        self.loss = tf.add_n(terms)
        self.variables = tf.global_variables()
        self.sources = self.sources + tf.trainable_variables()
        self.gradients = tf.gradients(self.loss, self.sources)

    def _states(self, batch):
        # A state of TimeFreqLSTMCell is wider than its size says.
        timefreq = isinstance(self.cell, rnn.TimeFreqLSTMCell)
        size = 12 if timefreq else self.cell.state_size
        leaves = [
            tf.constant(pattern([batch, *tf.TensorShape(s).as_list()], 1.5 - i % 2, self.dtype))
            for i, s in enumerate(flat(size))
        ]
        return tf.nest.pack_sequence_as(size, leaves)

    def load(self):
        """Give the variables their patterns."""
        for v in self.variables:
            value = pattern(v.shape.as_list(), 1.0, v.dtype.as_numpy_dtype)
            if v.op.name.endswith("period"):
                value = np.abs(value) + 1.3
            elif v.op.name.endswith("ratio_on"):
                value = np.abs(value) * 0.5 + 0.2
            v.load(value.astype(v.dtype.as_numpy_dtype), self.session)


def close(actual, wanted, tolerance):
    np.testing.assert_allclose(actual, wanted, rtol=tolerance, atol=tolerance)


def check_step(name, session):
    """A step gives TensorFlow's variables, numbers and gradients."""
    built, wanted = Built(name, session), RECORDED[name]
    names = ["{}:{}".format(v.op.name, "x".join(map(str, v.shape))) for v in built.variables]
    assert names == wanted["variables"]
    assert set(built.cell.trainable_weights) == set(tf.trainable_variables())
    built.load()
    found = session.run(built.results)
    close(found[0].ravel()[:4], wanted["first"], built.tolerance)
    close([mark(x) for x in found], wanted["step"], 30 * built.tolerance)
    check_gradients(built, wanted["step_gradients"])
    return built


def check_gradients(built, wanted):
    assert [g is None for g in built.gradients] == [w is None for w in wanted]
    found = built.session.run([tf.convert_to_tensor(g) for g in built.gradients if g is not None])
    close([mark(g) for g in found], [w for w in wanted if w is not None], 100 * built.tolerance)


def check_loop(name, session):
    """`dynamic_rnn` over rows of two lengths gives TensorFlow's numbers and gradients, and the
    same where batch and time are not known."""
    built, wanted = Built(name, session, loop=True), RECORDED[name]
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
        free = Built(name, session, loop=True, unknown=True)
    built.load()
    found, same = session.run([built.results, free.results])
    close([mark(x) for x in found], wanted["dynamic"], 30 * built.tolerance)
    check_gradients(built, wanted["dynamic_gradients"])
    for a, b in zip(found, same, strict=True):
        close(a, b, built.tolerance)


def check_numerically(name, session):
    """In float64, the loss changes along a direction as the gradients say."""
    built = Built(name, session)
    assert built.dtype == np.float64
    built.load()
    pairs = [
        (s, tf.convert_to_tensor(g))
        for s, g in zip(built.sources, built.gradients, strict=True)
        if g is not None
    ]
    slopes = session.run([g for _, g in pairs])
    sources = [source for source, _ in pairs]
    starts = session.run(sources)
    ways = [np.cos(np.arange(x.size) + i).reshape(x.shape) for i, x in enumerate(starts)]
    # An input is fed, and so is what reads a variable.
    losses = [
        session.run(
            built.loss,
            {
                source: start + step * way
                for source, start, way in zip(sources, starts, ways, strict=True)
            },
        )
        for step in (1e-6, -1e-6)
    ]
    wanted = sum((slope * way).sum() for slope, way in zip(slopes, ways, strict=True))
    close((losses[0] - losses[1]) / 2e-6, wanted, 1e-6)


def check_training(make, session, shape=(3, 2), steps=15):
    """A few steps of Adam on a loop over the cell make the loss smaller."""
    tf.set_random_seed(1)
    shapes = shape if isinstance(shape, list) else [shape]
    xs = [tf.constant(pattern((4, *s), 2, np.float32)) for s in shapes]
    inputs = tuple(xs) if isinstance(shape, list) else xs[0]
    output, _ = tf.nn.dynamic_rnn(make(), inputs, dtype=tf.float32, time_major=True)
    loss = tf.reduce_mean(tf.square(output - 0.3))
    train = tf.train.AdamOptimizer(0.02).minimize(loss)
    session.run(tf.global_variables_initializer())
    first = session.run(loss)
    for _ in range(steps):
        session.run(train)
    assert session.run(loss) < 0.9 * first
