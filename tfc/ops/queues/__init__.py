"""Queues: what they hold lives in the Session, their ops run in Python."""
