"""Datasets and iterators: their ops run in Python, their functions as compiled code."""
