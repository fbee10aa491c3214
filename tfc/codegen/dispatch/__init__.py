"""Native dispatch: what `Session.run` is when a signature is met again.

`load` loads the code (`text.py` says what it does), `method` makes methods of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.codegen import native, native_rt
from tfc.codegen.dispatch.text import EXPORTS, module_text
from tfc.codegen.module import ObjectStore
from tfc.codegen.target import host
from tfc.runtime import python_abi as abi


def load(python_run: Callable[..., Any], objects: ObjectStore | None) -> dict[str, int]:
    """The addresses of the functions that EXPORTS names. python_run: the function behind `run`.
    objects: may hold the machine code."""
    not_blocking = (False,)
    symbols = dict(abi.symbols())
    symbols["py.python_run"], symbols["py.not_blocking"] = id(python_run), id(not_blocking)
    code = native_rt.object_code(module_text(), host(), objects)
    library = native.load([code], EXPORTS, symbols)
    abi.keep_forever((python_run, not_blocking, library))
    return library.addresses


def method(owner: type, address: int, name: str, doc: str) -> Any:
    """A method of class `owner`. doc: with the signature in front, as CPython reads it."""
    definition = abi.MethodDef(name.encode(), address, abi.FASTCALL_WITH_KEYWORDS, doc.encode())
    abi.keep_forever(definition)
    return abi.new_method(owner, definition)
