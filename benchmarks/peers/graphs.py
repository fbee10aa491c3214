"""Workloads that tfc and TensorFlow run from the same source."""

from __future__ import annotations


def tfc():
    import tfc as tf

    return tf, tf.Session


def tensorflow():
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    return tf, tf.Session


def tensorflow_xla():
    """TensorFlow with clusters of ops compiled by XLA."""
    tf, _ = tensorflow()
    config = tf.ConfigProto()
    config.graph_options.optimizer_options.global_jit_level = tf.OptimizerOptions.ON_1
    return tf, lambda: tf.Session(config=config)


def entries(build, xla=False):
    """ENTRIES of a workload: `build(tf, new_session, **size)` makes it in the default graph and
    returns what runs it."""

    def within(load):
        def make(**size):
            tf, new_session = load()
            with tf.Graph().as_default():
                return build(tf, new_session, **size)

        return make

    made = {"tfc": within(tfc), "tensorflow": within(tensorflow)}
    if xla:
        made["tensorflow, XLA"] = within(tensorflow_xla)
    return made
