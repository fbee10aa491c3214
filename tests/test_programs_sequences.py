"""Whole programs on sequences: each is trained, stored, and restored into a graph for inference."""

import numpy as np

import tfc as tf

seq2seq, cells = tf.contrib.seq2seq, tf.nn.rnn_cell
SYMBOLS, UNITS, STEPS, BATCH = 7, 32, 4, 32  # of the network that copies
START, END = 0, 1


def trained(path, build, batches):
    """Run the step of `build()` on every batch and store the variables; the losses."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        given, loss = build()
        step = tf.train.AdamOptimizer(0.02).minimize(loss)
        session.run(tf.global_variables_initializer())
        losses = []
        for batch in batches:
            feed = dict(zip(given, batch, strict=True))
            losses.append(session.run([loss, step], feed)[0])
        tf.train.Saver(tf.trainable_variables()).save(session, str(path / "model"))
    return losses


def restored(path, build, batch):
    """What `build()` gives for a batch, in a graph of its own, with the variables stored."""
    with tf.Graph().as_default(), tf.Session() as session:
        given, fetch = build()
        saver = tf.train.Saver()
        saver.restore(session, str(path / "model"))
        return session.run(fetch, dict(zip(given, batch, strict=True)))


def encoder():
    source = tf.placeholder(tf.int32, [None, None])
    lengths = tf.placeholder(tf.int32, [None])
    table = tf.get_variable("table", [SYMBOLS, 8])
    embedded = tf.nn.embedding_lookup(table, source)
    seen, state = tf.nn.dynamic_rnn(cells.GRUCell(UNITS), embedded, lengths, dtype=tf.float32)
    return source, lengths, table, seen, state


def attentive(seen, lengths, state):
    """A cell that looks at the source, and its first state."""
    mechanism = seq2seq.LuongAttention(UNITS, seen, lengths)
    cell = seq2seq.AttentionWrapper(cells.GRUCell(UNITS), mechanism, attention_layer_size=UNITS)
    first = cell.zero_state(tf.shape(seen)[0], tf.float32)
    return cell, first.clone(cell_state=state), tf.layers.Dense(SYMBOLS, name="symbols")


def copier():
    source, lengths, table, seen, state = encoder()
    target = tf.placeholder(tf.int32, [None, None])
    cell, first, layer = attentive(seen, lengths, state)
    starts = tf.fill([tf.shape(target)[0], 1], START)
    fed = tf.concat([starts, target[:, :-1]], 1)
    helper = seq2seq.TrainingHelper(tf.nn.embedding_lookup(table, fed), lengths + 1)
    decoder = seq2seq.BasicDecoder(cell, helper, first, layer)
    outputs, _, counts = seq2seq.dynamic_decode(decoder, scope="decode")
    mask = tf.sequence_mask(counts, dtype=tf.float32)
    steps = tf.shape(mask)[1]
    loss = seq2seq.sequence_loss(outputs.rnn_output, target[:, :steps], mask)
    return (source, lengths, target), loss


def beams():
    source, lengths, table, seen, state = encoder()
    seen, many, state = (seq2seq.tile_batch(x, 3) for x in (seen, lengths, state))
    cell, first, layer = attentive(seen, many, state)
    starts = tf.fill([tf.shape(source)[0]], START)
    decoder = seq2seq.BeamSearchDecoder(cell, table, starts, END, first, 3, layer)
    outputs, _, _ = seq2seq.dynamic_decode(decoder, maximum_iterations=STEPS + 2, scope="decode")
    return (source, lengths), outputs.predicted_ids


def to_copy(rng):
    lengths = rng.randint(2, STEPS + 1, BATCH)
    lengths[0] = STEPS
    source = rng.randint(2, SYMBOLS, [BATCH, STEPS])
    source[np.arange(STEPS) >= lengths[:, None]] = END
    return source, lengths, np.concatenate([source, np.full([BATCH, 1], END)], 1)


def test_attention_learns_to_copy_and_beams_decode_it(tmp_path):
    rng = np.random.RandomState(0)
    losses = trained(tmp_path, copier, (to_copy(rng) for _ in range(150)))
    assert losses[-1] < 0.1 < 1.5 < losses[0]
    source, lengths, _ = to_copy(rng)
    ids = restored(tmp_path, beams, (source, lengths))
    assert ids.shape[0] == BATCH and ids.shape[2] == 3
    right = [list(ids[b, :n, 0]) == list(source[b, :n]) for b, n in enumerate(lengths)]
    assert np.mean(right) > 0.9


def hidden_features(x, lengths, units=16):
    outputs, _ = tf.nn.bidirectional_dynamic_rnn(
        cells.LSTMCell(units), cells.LSTMCell(units), x, lengths, dtype=tf.float32
    )
    return tf.concat(outputs, 2)


CLASSES = 4  # of the recogniser


def recogniser():
    x, lengths = tf.placeholder(tf.float32, [None, None, 6]), tf.placeholder(tf.int32, [None])
    labels = tf.sparse_placeholder(tf.int32)
    logits = tf.layers.dense(hidden_features(x, lengths), CLASSES + 1)
    logits = tf.transpose(logits, [1, 0, 2])
    loss = tf.reduce_mean(tf.nn.ctc_loss(labels, logits, lengths))
    paths, _ = tf.nn.ctc_beam_search_decoder(logits, lengths, 8, merge_repeated=False)
    errors = tf.edit_distance(tf.cast(paths[0], tf.int32), labels)
    return (x, lengths, labels), loss, tf.reduce_mean(errors)


def spoken(rng, shapes):
    """Three labels a row, each two or three steps long, with noise."""
    rows = rng.randint(0, CLASSES, [8, 3])
    x, lengths = rng.standard_normal([8, 12, 6]) * 0.2, np.zeros(8, np.int32)
    for row, labels in enumerate(rows):
        for label in labels:
            wide = rng.randint(2, 4)
            x[row, lengths[row] : lengths[row] + wide] += shapes[label]
            lengths[row] += wide + 1
    places = [(row, k) for row in range(8) for k in range(3)]
    return x, lengths, tf.SparseTensorValue(np.array(places), rows.ravel(), [8, 3])


def test_a_recogniser_learns_with_ctc(tmp_path):
    rng = np.random.RandomState(0)
    shapes = rng.standard_normal([CLASSES, 6])
    losses = trained(tmp_path, lambda: recogniser()[:2], (spoken(rng, shapes) for _ in range(150)))
    assert losses[-1] < 0.5 < 4 < losses[0]
    errors = restored(tmp_path, lambda: recogniser()[::2], spoken(rng, shapes))
    assert errors < 0.1


WORDS, TAGS = 12, 3


def tagger():
    words, lengths = tf.placeholder(tf.int32, [None, None]), tf.placeholder(tf.int32, [None])
    tags = tf.placeholder(tf.int32, [None, None])
    x = tf.nn.embedding_lookup(tf.get_variable("table", [WORDS, 8]), words)
    scores = tf.layers.dense(hidden_features(x, lengths), TAGS)
    likelihood, transitions = tf.contrib.crf.crf_log_likelihood(scores, tags, lengths)
    found, _ = tf.contrib.crf.crf_decode(scores, transitions, lengths)
    return (words, lengths, tags), tf.reduce_mean(-likelihood), (found, scores, transitions)


def sentences(rng):
    """A word of four says: as before."""
    words, lengths = rng.randint(0, WORDS, [16, 8]), rng.randint(1, 9, 16)
    tags, last = np.zeros([16, 8], np.int32), np.zeros(16, np.int32)
    for step in range(8):
        last = np.where(words[:, step] % 4 == 0, last, words[:, step] % TAGS)
        tags[:, step] = last
    return words, lengths, tags


def test_a_tagger_learns_with_a_chain(tmp_path):
    rng = np.random.RandomState(0)
    losses = trained(tmp_path, lambda: tagger()[:2], (sentences(rng) for _ in range(120)))
    assert losses[-1] < 0.5 < 3 < losses[0]
    words, lengths, tags = sentences(rng)
    found, scores, transitions = restored(
        tmp_path, lambda: tagger()[::2], (words, lengths, np.zeros_like(tags))
    )
    inside = np.arange(8) < lengths[:, None]
    assert (found == tags)[inside].mean() > 0.95
    for row, n in enumerate(lengths):
        path, _ = tf.contrib.crf.viterbi_decode(scores[row, :n], transitions)
        assert list(found[row, :n]) == [int(tag) for tag in path]


TEXT = "the quick brown fox jumps over the lazy dog. " * 12
LETTERS = sorted(set(TEXT))


def letters(batch, steps):
    """A char-rnn as they are written: unrolled, its state fed and fetched."""
    given = tf.placeholder(tf.int32, [batch, steps])
    after = tf.placeholder(tf.int32, [batch, steps])
    table = tf.get_variable("embedding", [len(LETTERS), UNITS])
    w = tf.get_variable("softmax_w", [UNITS, len(LETTERS)])
    cell = tf.contrib.rnn.MultiRNNCell([tf.contrib.rnn.BasicLSTMCell(UNITS) for _ in range(2)])
    first = cell.zero_state(batch, tf.float32)
    inputs = tf.unstack(tf.nn.embedding_lookup(table, given), axis=1)
    outputs, last = tf.contrib.legacy_seq2seq.rnn_decoder(inputs, first, cell, scope="lm")
    logits = tf.matmul(tf.reshape(tf.stack(outputs, 1), [-1, UNITS]), w)
    losses = tf.contrib.legacy_seq2seq.sequence_loss_by_example(
        [logits], [tf.reshape(after, [-1])], [tf.ones([batch * steps])]
    )
    return given, after, first, last, tf.reduce_mean(losses), tf.argmax(logits, 1)


def test_letters_follow_each_other(tmp_path):
    text = np.array([LETTERS.index(letter) for letter in TEXT])

    def build():
        given, after, _, _, loss, _ = letters(12, 20)
        return (given, after), loss

    rng = np.random.RandomState(0)
    places = (rng.randint(0, len(text) - 20, [12, 1]) + np.arange(20) for _ in range(150))
    losses = trained(tmp_path, build, ((text[at], text[at + 1]) for at in places))
    assert losses[-1] < 0.6 < 3 < losses[0]
    with tf.Graph().as_default(), tf.Session() as session:
        given, _, first, last, _, best = letters(1, 1)
        tf.train.Saver().restore(session, str(tmp_path / "model"))
        state, written = session.run(first), "the quick b"
        for letter in written:
            feed = {given: [[LETTERS.index(letter)]], first: state}
            state, (number,) = session.run([last, best], feed)
        for _ in range(8):
            written += LETTERS[number]
            feed = {given: [[number]], first: state}
            state, (number,) = session.run([last, best], feed)
    assert written == "the quick brown fox"
