"""Ops on sparse tensors and on sets, which are rows of sparse tensors."""
