"""`tf.train.queue_runner`: threads that fill queues. Re-exports, nothing else."""

from tfc.train.coordinator import QueueRunner, add_queue_runner, start_queue_runners

__all__ = ["QueueRunner", "add_queue_runner", "start_queue_runners"]
