"""`tfc info`: the versions and the machine that compiled code depends on, and the options."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TextIO

from tfc.base.options import OPTIONS, options
from tfc.codegen import target
from tfc.runtime import python_abi
from tfc.runtime.cores import available_cores
from tfc.version import VERSION


def run(out: TextIO) -> int:
    """Print one `name: value` line for each fact; the exit status 0."""
    host = target.host()
    facts = {
        "tfc": VERSION,
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "llvmlite": version("llvmlite"),
        "LLVM": target.llvm_version(),
        "target": host.triple,
        "CPU": f"{target.cpu_model()} ({host.cpu})",
        "vector width": f"{host.vector_bits} bits",
        "threads": str(options.threads or available_cores()),
        "native dispatch": f"off: {problem}" if (problem := python_abi.problem()) else "on",
    }
    for name, option in OPTIONS.items():
        value = getattr(options, name)
        shown = "not set" if value in (None, "") else value
        facts[option.variable] = f"{shown} ({option.doc})"
    width = max(map(len, facts)) + 1
    for name, value in facts.items():
        out.write(f"{name + ':':<{width}} {value}\n")
    return 0
