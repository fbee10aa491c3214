"""Cells of tf.contrib that few programs use, a file for each family."""
