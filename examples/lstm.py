"""Handwritten digits read row by row: an LSTM, trained in one compiled loop.

`tf.nn.dynamic_rnn` is a native loop over the 28 rows, its gradient another one, and `run_loop` a
third around the training step. `--reverse` lets a second network read from below.
"""

import argparse
import time

import tfc as tf
from tfc.examples.tutorials.mnist import input_data

ROWS, PIXELS, CLASSES = 28, 28, 10


def last_outputs(rows: tf.Tensor, units: int, reverse: bool) -> tf.Tensor:
    """What the network says after the last row: [batch, units], twice as wide with `reverse`."""
    if not reverse:
        cell = tf.nn.rnn_cell.BasicLSTMCell(units)
        outputs, _ = tf.nn.dynamic_rnn(cell, rows, dtype=tf.float32)
        return outputs[:, -1]
    cells = [tf.nn.rnn_cell.LSTMCell(units) for _ in range(2)]
    (down, up), _ = tf.nn.bidirectional_dynamic_rnn(*cells, rows, dtype=tf.float32)
    return tf.concat([down[:, -1], up[:, 0]], axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--reverse", action="store_true")
    parser.add_argument("--data", default="MNIST_data", help="folder with MNIST's files")
    args = parser.parse_args()

    tf.set_random_seed(1)
    digits = input_data.read_data_sets(args.data, seed=1)
    images = tf.placeholder(tf.float32, (None, ROWS * PIXELS), name="images")
    labels = tf.placeholder(tf.int64, (None,), name="labels")
    rows = tf.reshape(images, [-1, ROWS, PIXELS])
    outputs = last_outputs(rows, args.units, args.reverse)
    weights = tf.get_variable("weights", [outputs.shape[1], CLASSES])
    biases = tf.get_variable("biases", [CLASSES], initializer=tf.zeros_initializer())
    logits = tf.matmul(outputs, weights) + biases
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )
    right = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), labels), tf.float32))
    optimizer = tf.train.AdamOptimizer(0.003)
    gradients, variables = zip(*optimizer.compute_gradients(loss), strict=True)
    clipped, norm = tf.clip_by_global_norm(gradients, 5.0)
    train = optimizer.apply_gradients(zip(clipped, variables, strict=True))

    def accuracy(sess, data):
        return sess.run(right, {images: data.images, labels: data.labels})

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        batches = tf.Batches(
            {images: digits.train.images, labels: digits.train.labels}, args.batch_size, seed=1
        )
        begin = time.perf_counter()
        result = sess.run_loop(
            [train, loss, norm], args.steps, data=batches, every=args.steps // 10, stop_on_nan=loss
        )
        seconds = time.perf_counter() - begin - sess.statistics.compile_seconds
        for k, (value, length) in enumerate(zip(*result.values[1:], strict=True), start=1):
            print(f"step {k * (args.steps // 10):5d}  loss {value:.3f}  gradient {length:.2f}")
        print(f"{seconds / result.steps * 1e3:.2f} ms a step, "
              f"{sess.statistics.compile_seconds:.2f} s to compile")  # fmt: skip
        print(f"test accuracy: {accuracy(sess, digits.test):.3f}")


if __name__ == "__main__":
    main()
