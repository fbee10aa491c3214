"""Cells of tf.contrib beside the common ones, a file for each family."""
