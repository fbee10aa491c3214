"""Connectionist temporal classification: the loss, and decoders."""
