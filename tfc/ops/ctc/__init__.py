"""Connectionist temporal classification: the loss, and decoders."""

from tfc.ops.ctc import decoders, dense, loss

__all__ = ["decoders", "dense", "loss"]
