"""A network that reads handwritten digits, trained from a tf.data pipeline.

One iterator serves training and test: which dataset it begins is up to the initializer that runs.

    python examples/datasets.py --epochs 4
"""

import argparse

import numpy as np

import tfc as tf
from tfc.data.digits import load_digits


def prepared(image, label):
    """Pixels of 0 to 255 as floats of -1 to 1, in a row. This runs compiled, for each element."""
    pixels = tf.reshape(tf.cast(image, tf.float32), [-1])
    return pixels / 127.5 - 1.0, tf.cast(label, tf.int32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6)
    args = parser.parse_args()
    tf.set_random_seed(1)
    images, labels = load_digits()
    whole = tf.data.Dataset.from_tensor_slices((images, labels)).map(prepared)
    train = whole.take(1500).cache().shuffle(1500, seed=2).batch(50)
    test = whole.skip(1500).batch(297)

    iterator = tf.data.Iterator.from_structure(train.output_types, train.output_shapes)
    pixels, digits = iterator.get_next()
    hidden = tf.layers.dense(pixels, 64, tf.nn.relu)
    logits = tf.layers.dense(hidden, 10)
    loss = tf.losses.sparse_softmax_cross_entropy(digits, logits)
    step = tf.train.AdamOptimizer(0.002).minimize(loss)
    found = tf.argmax(logits, 1, output_type=tf.int32)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(found, digits), tf.float32))
    to_train, to_test = iterator.make_initializer(train), iterator.make_initializer(test)

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for epoch in range(args.epochs):
            sess.run(to_train)
            losses = []
            while True:
                try:
                    losses.append(sess.run([loss, step])[0])
                except tf.errors.OutOfRangeError:
                    break
            print(f"epoch {epoch + 1}: {len(losses)} steps, mean loss {np.mean(losses):.3f}")
        sess.run(to_test)
        print(f"test accuracy: {sess.run(accuracy):.3f}")


if __name__ == "__main__":
    main()
