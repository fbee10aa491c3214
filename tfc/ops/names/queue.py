"""`tf.queue`: queues. Re-exports, nothing else."""

from tfc.ops.queues.queue_classes import (
    FIFOQueue,
    PaddingFIFOQueue,
    PriorityQueue,
    QueueBase,
    RandomShuffleQueue,
)
