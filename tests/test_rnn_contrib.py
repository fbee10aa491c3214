"""Cells and networks that only tf.contrib.rnn has."""

import numpy as np
import pytest

import tfc as tf
from tests.rnn_cells import basic_rnn, gru, lstm, pattern, set_pattern, sigmoid

rnn = tf.contrib.rnn
X, H, C = pattern([3, 2], 2), pattern([3, 4]), pattern([3, 4], -3)
SEQUENCE = pattern([5, 3, 2], 2)  # time, batch, depth


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=3e-5, atol=3e-6)


def test_names_that_are_the_same():
    for name in rnn.__all__:
        if hasattr(tf.nn.rnn_cell, name):
            assert getattr(rnn, name) is getattr(tf.nn.rnn_cell, name)
    assert rnn.static_rnn is tf.nn.static_rnn
    assert rnn.static_bidirectional_rnn is tf.nn.static_bidirectional_rnn
    assert rnn.static_state_saving_rnn is tf.nn.static_state_saving_rnn
    assert tf.contrib.util.constant_value(tf.constant(3)) == 3
    assert tf.contrib.util.constant_value(tf.placeholder(tf.float32)) is None


def test_gru_block_cells(session):
    first, second = rnn.GRUBlockCell(4), rnn.GRUBlockCellV2(cell_size=4, name="v2")
    a, b = (cell(tf.constant(X), tf.constant(H))[0] for cell in (first, second))
    assert (first.state_size, first.output_size) == (4, 4)
    w = set_pattern(session)
    assert list(w) == [
        "gru_cell/w_ru", "gru_cell/b_ru", "gru_cell/w_c", "gru_cell/b_c",
        "v2/gates/kernel", "v2/gates/bias", "v2/candidate/kernel", "v2/candidate/bias",
    ]  # fmt: skip
    wanted = gru(X, H, *list(w.values())[:4])
    close(session.run([a, b]), [wanted, wanted])
    for arguments in ({}, {"num_units": 4, "cell_size": 4}):
        with pytest.raises(ValueError, match="Exactly one of num_units or cell_size"):
            rnn.GRUBlockCell(**arguments)
    with pytest.raises(ValueError, match=r"Shape of h_prev\[1\] incorrect"):
        rnn.GRUBlockCell(3, name="other")(tf.constant(X), tf.constant(H))


@pytest.mark.parametrize("peephole", [False, True])
def test_lstm_block_cell_has_the_variables_of_lstm_cell(session, peephole):
    x, state = tf.constant(X), (tf.constant(C), tf.constant(H))
    block = rnn.LSTMBlockCell(4, forget_bias=0.5, cell_clip=0.4, use_peephole=peephole)
    output, new = block(x, state)
    plain = rnn.LSTMCell(
        4, use_peepholes=peephole, cell_clip=0.4, forget_bias=0.5, name="lstm_cell", reuse=True
    )
    _, same = plain(x, state)
    set_pattern(session)
    assert set(plain.weights) == set(block.weights) and isinstance(new, rnn.LSTMStateTuple)
    for a, b in zip(*session.run([new, same]), strict=True):
        close(a, b)
    close(session.run(output), session.run(same.h))
    with pytest.raises(ValueError, match="state to be a tuple with length 2"):
        rnn.LSTMBlockCell(4, name="other")(x, (state[0],))


def test_gradients_pass_the_clip_of_block_cells(session):
    """As in TensorFlow 1.15, whose numbers these are: its kernel does not stop them."""
    fused = rnn.LSTMBlockFusedCell(2, cell_clip=0.1)
    x = tf.constant(SEQUENCE)
    outputs, state = fused(x, dtype=tf.float32)
    grads = tf.gradients([tf.reduce_sum(outputs), tf.reduce_sum(state.c)], [*fused.weights, x])
    set_pattern(session)
    kernel, bias, into = session.run(grads)
    assert abs(session.run(state.c)).max() <= np.float32(0.1)
    first = [-0.299554, 1.3080907, -1.5241994, -1.7242894, -0.0127236, -0.0530296, -0.0145204]
    close(kernel[0], [*first, 0.1985416])
    wanted = [-1.1673783, 1.9748491, 9.8919172, 8.2309341, -0.3421435, 0.0707007, -0.279313]
    close(bias, [*wanted, 0.1013934])
    close(into[0], [[0.1865102, -0.4925235], [0.3180591, -0.470998], [0.1391089, -0.1540394]])


@pytest.mark.parametrize("lengths", [None, [5, 0, 2]])
def test_lstm_block_fused_cell(session, lengths):
    fused = rnn.LSTMBlockFusedCell(4, use_peephole=True)
    x = tf.constant(SEQUENCE)
    outputs, state = fused(x, dtype=tf.float32, sequence_length=lengths)
    assert outputs.shape == [5, 3, 4] and fused.num_units == 4
    names = ["kernel", "bias", "w_i_diag", "w_f_diag", "w_o_diag"]
    assert [v.op.name for v in fused.weights] == [f"lstm_fused_cell/{n}" for n in names]
    grads = tf.gradients([outputs, state.c], fused.weights)
    start = (tf.constant(C), tf.constant(H))
    continued, _ = fused(x, initial_state=start, sequence_length=lengths)
    kernel, bias, wi, wf, wo = set_pattern(session).values()
    for tensors, c, h in (((outputs, state), 0 * C, 0 * H), ((continued, None), C, H)):
        wanted = []
        for t in range(5):
            new_c, new_h = lstm(SEQUENCE[t], c, h, kernel, bias, peepholes=(wf, wi, wo))
            on = np.ones([3, 1], bool) if lengths is None else (t < np.array(lengths))[:, None]
            wanted.append(np.where(on, new_h, 0))
            c, h = np.where(on, new_c, c), np.where(on, new_h, h)
        close(session.run(tensors[0]), wanted)
        if tensors[1] is not None:
            for a, b in zip(session.run(tensors[1]), (c, h), strict=True):
                close(a, b)
    assert all(np.isfinite(g).all() and g.any() for g in session.run(grads))
    with pytest.raises(ValueError, match="Either initial_state or dtype"):
        fused(x)
    with pytest.raises(ValueError, match="tuple with length 2 or None"):
        fused(x, initial_state=[start[0]])
    with pytest.raises(ValueError, match="expected ndim=3"):
        fused(tf.constant(X), dtype=tf.float32)


def normalized(x, gamma, beta):
    mean, variance = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-12) * gamma + beta


def test_layer_norm_basic_lstm_cell(session):
    cell = rnn.LayerNormBasicLSTMCell(4, norm_gain=0.5, norm_shift=0.25)
    assert cell.state_size == (4, 4) and cell.output_size == 4
    _, state = cell(tf.constant(X), (tf.constant(C), tf.constant(H)))
    session.run(tf.global_variables_initializer())
    gammas = [v for v in cell.weights if "gamma" in v.name]
    betas = [v for v in cell.weights if "beta" in v.name]
    assert [set(session.run(v)) for v in gammas + betas] == [{0.5}] * 5 + [{0.25}] * 5
    w = set_pattern(session)
    scope = "layer_norm_basic_lstm_cell"
    names = [f"{s}/{n}" for s in ("input", "transform", "forget", "output", "state")
             for n in ("gamma", "beta")]  # fmt: skip
    assert list(w) == [f"{scope}/{n}" for n in ["kernel", *names]]
    i, j, f, o = np.split(np.concatenate([X, H], 1) @ w[f"{scope}/kernel"], 4, 1)

    def norm(x, part):
        return normalized(x, w[f"{scope}/{part}/gamma"], w[f"{scope}/{part}/beta"])

    i, j, f, o = norm(i, "input"), norm(j, "transform"), norm(f, "forget"), norm(o, "output")
    c = norm(C * sigmoid(f + 1) + sigmoid(i) * np.tanh(j), "state")
    got = session.run(state)
    close(got[0], c)
    close(got[1], np.tanh(c) * sigmoid(o))


def test_layer_norm_cell_without_norm_and_with_dropout(session):
    x, state = tf.constant(X), (tf.constant(C), tf.constant(H))
    cell = rnn.LayerNormBasicLSTMCell(4, layer_norm=False, forget_bias=0.5)
    _, new = cell(x, state)
    dropping = rnn.LayerNormBasicLSTMCell(4, layer_norm=False, dropout_keep_prob=0.5)
    with tf.variable_scope("other"):
        c, _ = dropping(x, (tf.zeros([3, 4]), tf.constant(H)))[1]
    w = set_pattern(session)
    names = ["kernel", "bias"]
    assert [v.op.name for v in cell.weights] == [f"layer_norm_basic_lstm_cell/{n}" for n in names]
    kernel, bias = list(w.values())[:2]
    for a, b in zip(session.run(new), lstm(X, C, H, kernel, bias, 0.5), strict=True):
        close(a, b)
    whole, _ = lstm(X, 0 * C, H, *list(w.values())[2:])
    got = session.run(c)
    assert (got == 0).any()
    close(got[got != 0], 2 * whole[got != 0])


@pytest.mark.parametrize("coupled", [True, False])
def test_highway_wrapper(session, coupled):
    cell = rnn.HighwayWrapper(rnn.BasicRNNCell(2), coupled, carry_bias_init=0.5)
    assert (cell.state_size, cell.output_size) == (2, 2)
    assert cell.zero_state(3, tf.float32).shape == [3, 2]
    outputs, state = tf.nn.dynamic_rnn(cell, tf.constant(SEQUENCE), dtype=tf.float32)
    session.run(tf.global_variables_initializer())
    starts = {v.op.name: session.run(v) for v in tf.global_variables()}
    close(starts["rnn/carry_b"], [0.5, 0.5])
    if not coupled:
        close(starts["rnn/transform_b"], [-0.5, -0.5])
    w = set_pattern(session)
    names = ["basic_rnn_cell/kernel", "basic_rnn_cell/bias", "carry_w", "carry_b"]
    names += [] if coupled else ["transform_w", "transform_b"]
    assert list(w) == [f"rnn/{n}" for n in names]
    h, wanted = np.zeros([5, 2]), []
    for x in SEQUENCE.transpose(1, 0, 2):
        h = basic_rnn(x, h, w["rnn/basic_rnn_cell/kernel"], w["rnn/basic_rnn_cell/bias"])
        carry = sigmoid(x @ w["rnn/carry_w"] + w["rnn/carry_b"])
        own = 1 - carry
        if not coupled:
            own = sigmoid(x @ w["rnn/transform_w"] + w["rnn/transform_b"])
        wanted.append(x * carry + h * own)
    close(session.run(outputs), np.stack(wanted, 1))
    close(session.run(state), h)
    with pytest.raises(ValueError, match=r"Shapes .* are incompatible"):
        rnn.HighwayWrapper(rnn.BasicRNNCell(3))(tf.constant(X), tf.zeros([3, 3]))


def test_helpers_of_time(session):
    x = tf.placeholder_with_default(SEQUENCE, [None, 3, 2])
    turned = rnn.transpose_batch_time(x)
    assert turned.shape.as_list() == [3, None, 2]
    np.testing.assert_array_equal(session.run(turned), SEQUENCE.transpose(1, 0, 2))
    np.testing.assert_array_equal(session.run(rnn.transpose_batch_time([1, 2])), [1, 2])
    assert rnn.best_effort_input_batch_size([x]) == 3
    unknown = tf.placeholder_with_default(SEQUENCE, [None, None, 2])
    assert session.run(rnn.best_effort_input_batch_size([unknown])) == 3
    with pytest.raises(ValueError, match="to have rank at least 2"):
        rnn.best_effort_input_batch_size([tf.constant([1])])


@pytest.mark.parametrize("proj", [None, 3])
def test_nas_cell(session, proj):
    cell = rnn.NASCell(4, num_proj=proj, use_bias=True)
    m = H[:, :proj] if proj else H
    assert cell.state_size == (4, proj or 4) and cell.output_size == (proj or 4)
    output, state = cell(tf.constant(X), (tf.constant(C), tf.constant(m)))
    w = set_pattern(session)
    names = ["recurrent_kernel", "kernel", "bias"] + ["projection_weights"] * bool(proj)
    assert list(w) == [f"nas_cell/{n}" for n in names]
    recurrent, kernel, bias = list(w.values())[:3]
    b = np.split(m @ recurrent + bias, 8, 1)
    a = np.split(X @ kernel, 8, 1)
    one = [sigmoid(a[0] + b[0]), np.maximum(a[1] + b[1], 0), sigmoid(a[2] + b[2]),
           np.maximum(a[3] * b[3], 0), np.tanh(a[4] + b[4]), sigmoid(a[5] + b[5]),
           np.tanh(a[6] + b[6]), sigmoid(a[7] + b[7])]  # fmt: skip
    two = [np.tanh(one[0] * one[1]), np.tanh(one[2] + one[3]), np.tanh(one[4] * one[5]),
           sigmoid(one[6] + one[7])]  # fmt: skip
    c = np.tanh(two[0] + C) * two[1]
    new = np.tanh(c * np.tanh(two[2] + two[3]))
    new = new @ w["nas_cell/projection_weights"] if proj else new
    close(session.run(output), new)
    close(session.run(state.c), c)


def test_projection_wrappers(session):
    x, h = tf.constant(X), tf.constant(H)
    before = rnn.InputProjectionWrapper(rnn.BasicRNNCell(4), 3, activation=tf.nn.relu)
    after = rnn.OutputProjectionWrapper(rnn.BasicRNNCell(4), 5)
    assert (before.state_size, before.output_size) == (4, 4)
    assert (after.state_size, after.output_size) == (4, 5)
    a, (b, state) = before(x, h)[0], after(x, h)
    w = set_pattern(session)
    scopes = ("input_projection_wrapper", "output_projection_wrapper")
    assert set(w) == {f"{s}{n}" for s in scopes for n in (
        "/kernel", "/bias", "/basic_rnn_cell/kernel", "/basic_rnn_cell/bias")}  # fmt: skip

    def of(scope, inner=""):
        return w[f"{scope}{inner}/kernel"], w[f"{scope}{inner}/bias"]

    kernel, bias = of(scopes[0])
    projected = np.maximum(X @ kernel + bias, 0)
    close(session.run(a), basic_rnn(projected, H, *of(scopes[0], "/basic_rnn_cell")))
    inner = basic_rnn(X, H, *of(scopes[1], "/basic_rnn_cell"))
    kernel, bias = of(scopes[1])
    close(session.run(b), inner @ kernel + bias)
    close(session.run(state), inner)
    with pytest.raises(ValueError, match="output_size must be > 0"):
        rnn.OutputProjectionWrapper(rnn.BasicRNNCell(4), 0)
    with pytest.raises(ValueError, match="linear is expecting 2D arguments"):
        rnn.InputProjectionWrapper(rnn.BasicRNNCell(4), 3)(tf.ones([2, 3, 4]), h)
    with pytest.raises(ValueError, match=r"linear expects shape\[1\] to be provided"):
        unknown = tf.placeholder(tf.float32, [3, None])
        rnn.InputProjectionWrapper(rnn.BasicRNNCell(4), 3)(unknown, h)


def test_projections_in_a_loop(session):
    cell = rnn.OutputProjectionWrapper(rnn.BasicRNNCell(4), 5)
    outputs, _ = tf.nn.dynamic_rnn(cell, tf.constant(SEQUENCE), dtype=tf.float32, time_major=True)
    w = set_pattern(session)
    scope = "rnn/output_projection_wrapper"
    h, inner = np.zeros([3, 4]), f"{scope}/basic_rnn_cell"
    wanted = []
    for x in SEQUENCE:
        h = basic_rnn(x, h, w[f"{inner}/kernel"], w[f"{inner}/bias"])
        wanted.append(h @ w[f"{scope}/kernel"] + w[f"{scope}/bias"])
    close(session.run(outputs), wanted)
    assert set(cell.trainable_weights) == set(tf.trainable_variables())


def test_embedding_wrapper(session):
    cell = rnn.EmbeddingWrapper(rnn.BasicRNNCell(4), embedding_classes=6, embedding_size=2)
    ids = [[5, 0, 5], [1, 2, 3]]
    steps, _ = rnn.static_rnn(cell, [tf.constant(i) for i in ids], dtype=tf.float32)
    session.run(tf.global_variables_initializer())
    assert np.abs(session.run(tf.trainable_variables()[0])).max() <= np.sqrt(3)
    w = set_pattern(session)
    table = w["rnn/embedding_wrapper/embedding"]
    inner = [w[f"rnn/embedding_wrapper/basic_rnn_cell/{n}"] for n in ("kernel", "bias")]
    first = basic_rnn(table[ids[0]], np.zeros([3, 4]), *inner)
    close(session.run(steps), [first, basic_rnn(table[ids[1]], first, *inner)])
    with pytest.raises(ValueError, match="embedding_classes and embedding_size must be > 0"):
        rnn.EmbeddingWrapper(rnn.BasicRNNCell(4), 0, 2)


@pytest.mark.parametrize("is_tuple", [True, False])
def test_attention_cell_wrapper(session, is_tuple):
    """Two steps against numpy; the variables are found by their names."""
    cell = rnn.AttentionCellWrapper(
        rnn.GRUCell(4), attn_length=3, attn_vec_size=5, state_is_tuple=is_tuple
    )
    assert cell.state_size == ((4, 4, 12) if is_tuple else 20) and cell.output_size == 4
    steps, state = rnn.static_rnn(cell, [tf.constant(X)] * 2, dtype=tf.float32)
    w = set_pattern(session)
    scope = "rnn/attention_cell_wrapper"
    assert set(w) == {
        f"{scope}/{n}"
        for n in (
            "kernel", "bias", "gru_cell/gates/kernel", "gru_cell/gates/bias",
            "gru_cell/candidate/kernel", "gru_cell/candidate/bias", "attention/attn_w",
            "attention/attn_v", "attention/kernel", "attention/bias",
            "attn_output_projection/kernel", "attn_output_projection/bias",
        )
    }  # fmt: skip
    w = {name[len(scope) + 1 :]: value for name, value in w.items()}
    parts = [w[f"gru_cell/{a}/{b}"] for a in ("gates", "candidate") for b in ("kernel", "bias")]
    h, attns, kept = np.zeros([3, 4]), np.zeros([3, 4]), np.zeros([3, 3, 4])
    for step in steps:
        inputs = np.concatenate([X, attns], 1) @ w["kernel"] + w["bias"]
        h = gru(inputs, h, *parts)
        y = h @ w["attention/kernel"] + w["attention/bias"]
        features = kept @ w["attention/attn_w"][0, 0] + y[:, None]
        scores = (w["attention/attn_v"] * np.tanh(features)).sum(2)
        weights = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        attns = (weights[:, :, None] * kept).sum(1)
        output = np.concatenate([h, attns], 1) @ w["attn_output_projection/kernel"]
        output = output + w["attn_output_projection/bias"]
        kept = np.concatenate([kept[:, 1:], output[:, None]], 1)
        close(session.run(step), output)
    got = session.run(state)
    wanted = [h, attns, kept.reshape(3, 12)]
    for a, b in zip(got if is_tuple else np.split(got, [4, 8], 1), wanted, strict=True):
        close(a, b)


def test_attention_cell_wrapper_mistakes():
    with pytest.raises(ValueError, match="attn_length should be greater than zero, got 0"):
        rnn.AttentionCellWrapper(rnn.GRUCell(4), 0)
    with pytest.raises(ValueError, match="the flag state_is_tuple is not set"):
        rnn.AttentionCellWrapper(rnn.BasicLSTMCell(4), 2, state_is_tuple=False)


@pytest.mark.parametrize("dynamic", [True, False])
def test_stacked_bidirectional(session, dynamic):
    def pair():
        return [rnn.BasicRNNCell(3), rnn.BasicRNNCell(2)]

    x = tf.constant(SEQUENCE.transpose(1, 0, 2))
    starts = [tf.ones([3, 3]), tf.ones([3, 2])]
    if dynamic:
        outputs, fw, bw = rnn.stack_bidirectional_dynamic_rnn(
            pair(), pair(), x, initial_states_fw=starts, dtype=tf.float32
        )
    else:
        steps, fw, bw = rnn.stack_bidirectional_rnn(
            pair(), pair(), tf.unstack(x, axis=1), initial_states_fw=starts, dtype=tf.float32
        )
        outputs = tf.stack(steps, 1)
    assert outputs.shape == [3, 5, 4] and len(fw) == len(bw) == 2
    w = set_pattern(session)
    inner = "bidirectional_rnn/" if dynamic else ""
    below = SEQUENCE
    for layer, units in enumerate((3, 2)):
        sides = []
        for side, start in (("fw", 1.0), ("bw", 0.0)):
            prefix = f"stack_bidirectional_rnn/cell_{layer}/{inner}{side}/basic_rnn_cell"
            h, rows = np.full([3, units], start), []
            for step in below if side == "fw" else below[::-1]:
                h = basic_rnn(step, h, w[f"{prefix}/kernel"], w[f"{prefix}/bias"])
                rows.append(h)
            close(session.run((fw if side == "fw" else bw)[layer]), h)
            sides.append(rows if side == "fw" else rows[::-1])
        below = np.concatenate(sides, 2)
    close(session.run(outputs), below.transpose(1, 0, 2))


def test_stacked_bidirectional_mistakes():
    cell, x = rnn.BasicRNNCell(3), tf.ones([2, 3, 4])
    for fw, bw, options, message in (
        ([], [cell], {}, "at least one fw cell"),
        ([cell], [], {}, "at least one bw cell"),
        ((cell,), [cell], {}, "cells_fw must be a list"),
        ([cell], (cell,), {}, "cells_bw must be a list"),
        ([cell, cell], [cell], {}, "must have the same depth"),
        ([cell], [cell], {"initial_states_fw": (1,)}, "initial_states_fw must be a list"),
        ([cell], [cell], {"initial_states_bw": [1, 2]}, "initial_states_bw must be a list"),
    ):
        with pytest.raises(ValueError, match=message):
            rnn.stack_bidirectional_dynamic_rnn(fw, bw, x, dtype=tf.float32, **options)
        with pytest.raises(ValueError, match=message):
            rnn.stack_bidirectional_rnn(fw, bw, [x[0]], dtype=tf.float32, **options)
