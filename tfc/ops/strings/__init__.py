"""Ops on strings: text, numbers as text, hashes, Unicode, records. All of them run in Python."""
