"""What a lowering rule raises when an op cannot be part of the function being built."""

from __future__ import annotations

from typing import Any

from tfc.ir.core import Value


class NotNative(Exception):
    """An op with regions that cannot be native code; the text says why. Python drives it then."""


class NeedsRoom(Exception):
    """The whole array is needed of what the loop `owner` never changes, and how often that runs is
    not known: lowered again, it makes room for a guess (`passes/lessons.py`)."""

    def __init__(self, owner: Any):
        super().__init__("how many entries a residual has is not known")
        self.owner = owner


class NeedsValue(Exception):
    """A lowering rule asked for the value of something that only running can tell."""

    def __init__(self, value: Value, token: Any = None):
        super().__init__("a value that decides a shape is not known before the run")
        self.value, self.token = value, token  # token: under which the value is kept, if any
