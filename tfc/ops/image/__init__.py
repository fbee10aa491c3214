"""Image ops and functions: `tf.image`."""
