"""`tf.user_ops`: an example of an op. Re-exports, nothing else."""

from tfc.ops.strings.format_ops import my_fact
