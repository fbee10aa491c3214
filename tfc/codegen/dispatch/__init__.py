"""Native dispatch: what `Session.run` is when a signature is met again.

A `Dispatch` is the loaded code (`text.py` says what it does), and makes methods of it. The second
run of a process needs it, and would wait 70 ms for the optimised code; so there is a first version
of it too (`codegen/first.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tfc.codegen import native, native_rt
from tfc.codegen.dispatch.text import EXPORTS, module_text
from tfc.codegen.module import ObjectStore
from tfc.codegen.target import FAST, OPTIMISED, host
from tfc.runtime import python_abi as abi


class Dispatch:
    """The functions that EXPORTS names, in a library that is never unloaded. `level`: that of the
    code generation.

    python_run: the function behind `run`. objects: may hold the machine code. first: whether it may
    be the first version.
    """

    def __init__(
        self, python_run: Callable[..., Any], objects: ObjectStore | None, first: bool = False
    ):
        not_blocking = (False,)
        abi.keep_forever((python_run, not_blocking))
        self._symbols = dict(abi.symbols())
        self._symbols["py.python_run"] = id(python_run)
        self._symbols["py.not_blocking"] = id(not_blocking)
        self._objects, self._text = objects, module_text()
        self._methods: list[tuple[abi.MethodDef, str]] = []
        self.level = OPTIMISED
        if first and not native_rt.is_stored(self._text, host(), objects):
            self.level = FAST
        self._addresses = self._load()

    def _load(self) -> dict[str, int]:
        code = native_rt.object_code(self._text, host(), self._objects, self.level)
        library = native.load([code], EXPORTS, self._symbols)
        abi.keep_forever(library)
        return library.addresses

    def method(self, owner: type, function: str, name: str, doc: str) -> Any:
        """A method of class `owner`. doc: with the signature in front, as CPython reads it."""
        address, flags = self._addresses[function], abi.FASTCALL_WITH_KEYWORDS
        definition = abi.MethodDef(name.encode(), address, flags, doc.encode())
        abi.keep_forever(definition)
        self._methods.append((definition, function))
        return abi.new_method(owner, definition)

    def optimise(self, compiling: Callable[[], AbstractContextManager[None]]) -> bool:
        """Have all methods run optimised code from their next call on. They are read in each call,
        by objects made of them before too."""
        with compiling():
            self.level = OPTIMISED
            self._addresses = self._load()
            native_rt.forget_first(self._text, host(), self._objects)
            for definition, function in self._methods:
                definition.function = self._addresses[function]
        return True
