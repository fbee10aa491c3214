"""`tf.linalg.LinearOperator` and its kinds: matrices known by what they do to vectors."""
