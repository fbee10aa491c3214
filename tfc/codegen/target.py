"""From plain Target data to LLVM's target machine, and the description of this host."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from tfc.base.target import Target
from tfc.codegen.inside_llvm import InsideLLVM

FAST, OPTIMISED = 0, 2  # levels of LLVM's code generation; both give the same bits


@functools.cache
def initialize() -> None:
    """Make LLVM ready for this machine's instruction set."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()


@functools.cache
def host() -> Target:
    """The machine this process runs on."""
    with InsideLLVM():
        return _host()


def _host() -> Target:
    initialize()
    features = dict(llvm.get_host_cpu_features())
    triple = llvm.get_process_triple()
    has = features.get
    if triple.startswith(("aarch64", "arm64")):
        bits, registers, fma = 128, 32, True
    elif has("avx512f") and has("avx512vl") and has("avx512bw") and has("avx512dq"):
        bits, registers, fma = 512, 32, True
    elif has("avx2") and has("fma"):
        bits, registers, fma = 256, 16, True
    else:
        bits, registers, fma = 128, 16, bool(has("fma"))
    return Target(
        triple=triple,
        cpu=llvm.get_host_cpu_name(),
        features=",".join(("+" if on else "-") + name for name, on in sorted(features.items())),
        vector_bits=bits,
        registers=registers,
        fma=fma,
        half=bool(has("f16c")) or not triple.startswith("x86_64"),
        **_caches(),
    )


def _caches() -> dict[str, int]:
    """The cache's size as the operating system tells it; nothing where it does not."""
    name = "SC_LEVEL3_CACHE_SIZE"
    size = os.sysconf(name) if name in os.sysconf_names else 0
    return {"l3_bytes": size} if size > 0 else {}


def new_machine(target: Target, level: int = OPTIMISED) -> Any:
    """LLVM's target machine; of one thread at a time. Code addresses its constants relative to
    itself ('small', 'pic'), so that it can also be written to an object file."""
    initialize()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=level, reloc="pic", codemodel="small"
    )


def cpu_model() -> str:
    """The processor's own name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return str(llvm.get_host_cpu_name())


def llvm_version() -> str:
    """The version of LLVM that llvmlite was built with, such as `20.1.8`."""
    return ".".join(map(str, llvm.llvm_version_info))
