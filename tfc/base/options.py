"""Every environment variable that tfc reads: name, type, default, one sentence."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tfc.base.records import dataclass


@dataclass(frozen=True)
class Option:
    """One environment variable."""

    variable: str
    default: Any
    kind: type
    doc: str
    choices: tuple[str, ...] = ()  # the only values there are; empty: any of `kind`


OPTIONS: dict[str, Option] = {
    "threads": Option("TFC_THREADS", 0, int, "cores that kernels may use; 0: all of the process"),
    "level": Option("TFC_O", 1, int, "0: only the passes that must run; 1: all"),
    "passes": Option("TFC_PASSES", "", str, "passes switched off or on, as in -hoist,+simplify"),
    "check": Option("TFC_CHECK", 0, int, "1 verifies the IR before the first pass and after each"),
    "fuel": Option("TFC_FUEL", None, int, "rewrites that may fire per function; bisects a bad one"),
    "shuffle": Option("TFC_SHUFFLE", None, int, "seed that permutes ops between passes"),
    "profile": Option("TFC_PROFILE", 0, int, "1 counts the ticks of a clock in each kernel"),
    "cache": Option("TFC_CACHE", "", str, "folder of machine code kept between runs, or off (0)"),
    "tiers": Option(
        "TFC_TIERS",
        1,
        int,
        "1: light kernels are compiled fast, and optimised later; 0: at once",
    ),
    "fast_run": Option(
        "TFC_FAST_RUN", 1, int, "native dispatch of Session.run; 0: never, 2: from the first run on"
    ),
    "array_pool": Option(
        "TFC_ARRAY_POOL", 256, int, "MiB of large fetched arrays kept to be used again; 0: none"
    ),
    "wait": Option(
        "TFC_WAIT",
        "auto",
        str,
        "how idle threads wait: active spins, passive sleeps, auto spins a little",
        ("active", "auto", "passive"),
    ),
}


class Options:
    """The options of this process, read from the environment once; tests may set attributes."""

    threads: int
    level: int
    passes: str
    check: int
    fuel: int | None
    shuffle: int | None
    profile: int
    cache: str
    tiers: int
    fast_run: int
    array_pool: int
    wait: str

    def __init__(self, environment: Mapping[str, str] = os.environ):
        for name, option in OPTIONS.items():
            text = environment.get(option.variable)
            setattr(self, name, option.default if text is None else _parse(option, text))


def _parse(option: Option, text: str) -> Any:
    """The value of an option. Raises ValueError naming the variable if `text` is not one."""
    if option.choices and text not in option.choices:
        raise ValueError(f"{option.variable}={text!r} is none of {', '.join(option.choices)}")
    try:
        return option.kind(text)
    except ValueError:
        raise ValueError(
            f"{option.variable}={text!r} is not of type {option.kind.__name__} ({option.doc})"
        ) from None


options = Options()
