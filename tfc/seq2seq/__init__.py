"""Sequences from sequences: losses, decoders, attention."""
