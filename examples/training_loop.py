"""Handwritten digits, trained in one compiled loop: `Session.run_loop`.

The images stay where they are; each step gathers its batch in native code, and Python is reached
ten times a second. `--compare` runs the same steps through `Session.run`: the losses are equal, bit
for bit.
"""

import argparse
import time

import numpy as np

import tfc as tf
from tfc.examples.tutorials.mnist import input_data, mnist


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--data", default="MNIST_data", help="folder with MNIST's files")
    parser.add_argument("--compare", action="store_true", help="with Session.run")
    args = parser.parse_args()

    tf.set_random_seed(1)
    digits = input_data.read_data_sets(args.data, seed=1)
    images = tf.placeholder(tf.float32, (None, mnist.IMAGE_PIXELS), name="images")
    labels = tf.placeholder(tf.int32, (None,), name="labels")
    logits = mnist.inference(images, 128, 32)
    loss = mnist.loss(logits, labels)
    right = mnist.evaluation(logits, labels)
    step = tf.train.get_or_create_global_step()
    rate = tf.train.exponential_decay(0.1, step, 1000, 0.5)
    train = tf.train.GradientDescentOptimizer(rate).minimize(loss, global_step=step)

    def accuracy(sess, data):
        return sess.run(right, {images: data.images, labels: data.labels}) / data.num_examples

    def batches():
        examples = {images: digits.train.images, labels: digits.train.labels}
        return tf.Batches(examples, args.batch_size, seed=1)

    with tf.Session() as sess:

        def report(done, values):
            valid = accuracy(sess, digits.validation)
            print(f"step {done:5d}  loss {values[1]:.3f}  validation accuracy {valid:.3f}")

        sess.run(tf.global_variables_initializer())
        begin = time.perf_counter()
        result = sess.run_loop(
            [train, loss],
            args.steps,
            data=batches(),
            stop_on_nan=loss,
            callback=report,
            callback_every=1000,
        )
        seconds = time.perf_counter() - begin - sess.statistics.compile_seconds
        losses = result.values[1]
        print(f"{result.steps} steps: {seconds / result.steps * 1e6:.0f} us each, "
              f"{sess.statistics.compile_seconds:.2f} s to compile")  # fmt: skip
        print(f"mean loss, first and last hundred: {losses[:100].mean():.3f}, "
              f"{losses[-100:].mean():.3f}")  # fmt: skip
        print(f"test accuracy: {accuracy(sess, digits.test):.3f}")

    if args.compare:
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            feeds = batches()
            begin = time.perf_counter()
            again = [sess.run([train, loss], next(feeds))[1] for _ in range(args.steps)]
            seconds = time.perf_counter() - begin
            print(f"through Session.run: {seconds / args.steps * 1e6:.0f} us each, "
                  f"equal losses: {np.array_equal(losses, again)}")  # fmt: skip


if __name__ == "__main__":
    main()
