"""Queues: what they hold lives in the Session, their ops run in Python."""

from tfc.ops.queues import queue_classes, queue_ops
