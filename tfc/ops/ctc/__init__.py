"""Connectionist temporal classification: the loss, and decoders."""

from tfc.ops.ctc import decoders, loss

__all__ = ["decoders", "loss"]
