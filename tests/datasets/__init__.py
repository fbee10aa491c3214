"""Tests of tf.data. Literal values are TensorFlow's own."""
