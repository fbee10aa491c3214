"""tf.contrib.legacy_seq2seq: attention, and networks from symbols to symbols."""

import numpy as np
import pytest

import tfc as tf
from tests.rnn_cells import basic_rnn, pattern, set_pattern

legacy, cells = tf.contrib.legacy_seq2seq, tf.nn.rnn_cell
SOURCE = [[0, 1, 2], [3, 2, 1]]  # time, batch
GIVEN = [[0, 1, 2], [3, 3, 3], [4, 0, 1]]


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=2e-5, atol=2e-6)


def constants(rows):
    return [tf.constant(r) for r in rows]


def scoped(w, scope):
    """The kernel and the bias in a scope."""
    return w[f"{scope}/kernel"], w[f"{scope}/bias"]


def linear(parts, w, scope):
    kernel, bias = scoped(w, scope)
    return np.concatenate(parts, 1) @ kernel + bias


class Attention:
    """The decoder in numpy; states: [batch, length, size]."""

    def __init__(self, w, scope, states, heads=1):
        self.w, self.scope, self.states, self.heads = w, scope, states, heads

    def seen(self, query):
        found = []
        for k in range(self.heads):
            kernel = self.w[f"{self.scope}/AttnW_{k}"][0, 0]
            y = linear([query], self.w, f"{self.scope}/Attention_{k}")
            hidden = np.tanh(self.states @ kernel + y[:, None])
            scores = (hidden * self.w[f"{self.scope}/AttnV_{k}"]).sum(-1)
            weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
            found.append((weights[..., None] * self.states).sum(1))
        return found

    def run(self, inputs, h, first, cell):
        zero = np.zeros([len(h), self.states.shape[-1]])
        seen = self.seen(h) if first else [zero] * self.heads
        outputs = []
        for x in inputs:
            y, h = cell(linear([x, *seen], self.w, self.scope), h)
            seen = self.seen(h)
            outputs.append(linear([y, *seen], self.w, f"{self.scope}/AttnOutputProjection"))
        return outputs, h


@pytest.mark.parametrize("first", [False, True])
def test_attention_decoder(session, first):
    x, states, start = pattern([3, 2, 2], 2), pattern([2, 4, 3]), pattern([2, 4])
    outputs, state = legacy.attention_decoder(
        constants(x), tf.constant(start), tf.constant(states), cells.BasicRNNCell(4),
        output_size=5, num_heads=2, initial_state_attention=first,
    )  # fmt: skip
    w = set_pattern(session)
    scope = "attention_decoder"
    made = ["AttnV_0", "AttnV_1", "AttnW_0", "AttnW_1"]
    for part in ("Attention_0", "Attention_1", "AttnOutputProjection", "basic_rnn_cell", ""):
        made += [f"{part}/kernel".strip("/"), f"{part}/bias".strip("/")]
    assert sorted(w) == sorted(f"{scope}/{n}" for n in made)
    own = scoped(w, f"{scope}/basic_rnn_cell")

    def cell(x, h):
        h = basic_rnn(x, h, *own)
        return h, h

    wanted, last = Attention(w, scope, states, 2).run(x, start, first, cell)
    close(session.run(outputs), wanted)
    close(session.run(state), last)


def test_attention_decoder_errors():
    x, states, start = constants(pattern([1, 2, 2])), tf.zeros([2, 4, 3]), tf.zeros([2, 4])
    cell = cells.BasicRNNCell(4)
    for message, inputs, given, options in (
        ("at least 1 input", [], states, {}),
        ("less than 1 heads", x, states, {"num_heads": 0}),
        ("must be known", x, tf.placeholder(tf.float32, [2, 4, None]), {}),
        ("infer input size", [tf.placeholder(tf.float32, [2, None])], states, {}),
    ):
        with pytest.raises(ValueError, match=message):
            legacy.attention_decoder(inputs, start, given, cell, **options)


def encoded(w, scope, cell):
    """(states, outputs) of the encoder over the table's rows."""
    table = w[f"{scope}/rnn/embedding_wrapper/embedding"]
    kernel_bias = scoped(w, f"{scope}/rnn/embedding_wrapper/basic_rnn_cell")
    h, seen = np.zeros([3, 4]), []
    for ids in SOURCE:
        h = basic_rnn(table[ids], h, *kernel_bias)
        seen.append(h)
    return h, seen


@pytest.mark.parametrize("previous", [False, True])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_embedding_rnn(session, previous, as_tensor):
    feed = tf.constant(previous) if as_tensor else previous
    outputs, state = legacy.embedding_rnn_seq2seq(
        constants(SOURCE), constants(GIVEN), cells.BasicRNNCell(4), 4, 5, 2, feed_previous=feed
    )
    w = set_pattern(session)
    scope = "embedding_rnn_seq2seq"
    h, _ = encoded(w, scope, None)
    inner = f"{scope}/embedding_rnn_decoder"
    table, ids, wanted = w[f"{inner}/embedding"], GIVEN[0], []
    projection = f"{inner}/rnn_decoder/output_projection_wrapper"
    for t in range(3):
        h = basic_rnn(table[ids], h, *scoped(w, f"{projection}/basic_rnn_cell"))
        wanted.append(linear([h], w, projection))
        ids = wanted[-1].argmax(1) if previous else GIVEN[min(t + 1, 2)]
    close(session.run(outputs), wanted)
    close(session.run(state), h)
    assert len(w) == 8


@pytest.mark.parametrize("as_tensor", [False, True])
def test_embedding_tied(session, as_tensor):
    feed = tf.constant(True) if as_tensor else True
    outputs, _ = legacy.embedding_tied_rnn_seq2seq(
        constants(SOURCE), constants(GIVEN), cells.BasicRNNCell(4), 5, 2, feed_previous=feed
    )
    w = set_pattern(session)
    scope = "embedding_tied_rnn_seq2seq"
    inner = f"{scope}/combined_tied_rnn_seq2seq/tied_rnn_seq2seq/output_projection_wrapper"
    names = [f"{scope}/embedding"]
    for part in (f"{inner}/basic_rnn_cell", inner):
        names += [f"{part}/kernel", f"{part}/bias"]
    assert sorted(w) == sorted(names)
    table, h, ids, wanted = w[names[0]], np.zeros([3, 4]), GIVEN[0], []
    for source in SOURCE:
        h = basic_rnn(table[source], h, *scoped(w, f"{inner}/basic_rnn_cell"))
    for _ in range(3):
        h = basic_rnn(table[ids], h, *scoped(w, f"{inner}/basic_rnn_cell"))
        wanted.append(linear([h], w, inner))
        ids = wanted[-1].argmax(1)
    close(session.run(outputs), wanted)


@pytest.mark.parametrize("as_tensor", [False, True])
def test_embedding_attention(session, as_tensor):
    feed = tf.constant(False) if as_tensor else False
    outputs, state = legacy.embedding_attention_seq2seq(
        constants(SOURCE), constants(GIVEN), cells.BasicRNNCell(4), 4, 5, 2, feed_previous=feed,
        initial_state_attention=True,
    )  # fmt: skip
    w = set_pattern(session)
    scope = "embedding_attention_seq2seq"
    h, seen = encoded(w, scope, None)
    inner = f"{scope}/embedding_attention_decoder"
    table, own = w[f"{inner}/embedding"], f"{inner}/attention_decoder"
    projection = f"{own}/output_projection_wrapper"

    def cell(x, h):
        h = basic_rnn(x, h, *scoped(w, f"{projection}/basic_rnn_cell"))
        return linear([h], w, projection), h

    rows = [table[ids] for ids in GIVEN]
    wanted, last = Attention(w, own, np.stack(seen, 1)).run(rows, h, True, cell)
    close(session.run(outputs), wanted)
    close(session.run(state), last)
    assert all(g is not None for g in tf.gradients(outputs, tf.trainable_variables()))


@pytest.mark.parametrize("as_tensor", [False, True])
def test_one_encoder_of_several_decoders(session, as_tensor):
    feed = tf.constant(False) if as_tensor else False
    decoders = {"a": constants(GIVEN), "b": constants(GIVEN[:2])}
    outputs, states = legacy.one2many_rnn_seq2seq(
        constants(SOURCE), decoders, cells.BasicRNNCell(4),
        {name: cells.BasicRNNCell(4) for name in decoders}, 4, {"a": 5, "b": 6}, 2,
        feed_previous=feed,
    )  # fmt: skip
    w = set_pattern(session)
    scope = "one2many_rnn_seq2seq"
    first, _ = encoded(w, scope, None)
    for name, steps in decoders.items():
        inner = f"{scope}/one2many_decoder_{name}/embedding_rnn_decoder"
        projection = f"{inner}/rnn_decoder/output_projection_wrapper"
        h, wanted = first, []
        for ids in GIVEN[: len(steps)]:
            x = w[f"{inner}/embedding"][ids]
            h = basic_rnn(x, h, *scoped(w, f"{projection}/basic_rnn_cell"))
            wanted.append(linear([h], w, projection))
        close(session.run(outputs[name]), wanted)
        close(session.run(states[name]), h)
    assert wanted[0].shape == (3, 6)
    with pytest.raises(ValueError, match="keys of dec_cells_dict"):
        legacy.one2many_rnn_seq2seq([], decoders, cells.BasicRNNCell(4), {}, 4, {}, 2)
    with pytest.raises(TypeError, match="enc_cell is not an RNNCell"):
        legacy.one2many_rnn_seq2seq([], {}, 3, {}, 4, {}, 2)


def test_buckets(session):
    def network(encoder_inputs, decoder_inputs):
        return legacy.embedding_rnn_seq2seq(
            encoder_inputs, decoder_inputs, cells.GRUCell(4), 4, 5, 2
        )

    targets = constants([[1, 2, 3], [4, 0, 1], [2, 2, 2]])
    weights = constants(np.ones([3, 3], np.float32))
    source, given = constants(SOURCE), constants(GIVEN)
    arguments = source, given, targets, weights
    outputs, losses = legacy.model_with_buckets(*arguments, [(1, 2), (2, 3)], network)
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
        _, rows = legacy.model_with_buckets(*arguments, [(2, 3)], network, per_example_loss=True)
        whole, _ = network(source, given)
    assert [len(o) for o in outputs] == [2, 3] and len(tf.trainable_variables()) == 12
    set_pattern(session)
    found = session.run([outputs[1], whole, losses[1], rows[0], losses[0]])
    close(found[0], found[1])
    close(found[2], found[3].mean())
    logs = found[0] - np.log(np.exp(found[0]).sum(-1, keepdims=True))
    ids = np.array(session.run(targets))
    close(found[3], -np.take_along_axis(logs, ids[..., None], -1)[..., 0].mean(0))
    assert found[4] != found[2]
    for message, change in (
        ("encoder_inputs", (source[:1], given, targets, weights)),
        ("targets", (source, given, targets[:2], weights)),
        ("weights", (source, given, targets, weights[:2])),
    ):
        with pytest.raises(ValueError, match=f"Length of {message} .* last bucket"):
            legacy.model_with_buckets(*change, [(2, 3)], network)
