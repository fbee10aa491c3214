"""Integers that Python writes and native code reads."""

from __future__ import annotations

import ctypes


class Cell:
    """A 64-bit integer with an address. The address is good as long as the Cell lives."""

    __slots__ = ("_storage", "address")

    def __init__(self, value: int = 0):
        self._storage = ctypes.c_int64(value)
        self.address = ctypes.addressof(self._storage)

    @property
    def value(self) -> int:
        return self._storage.value

    @value.setter
    def value(self, value: int) -> None:
        self._storage.value = value
