"""`tfc api`: which of TensorFlow 1's public names exist here, and whether as TensorFlow has them.

What TensorFlow has is read from a recording, `tf1_api.json` (names, kinds, signatures), and how
many programs use a name from `frequency.csv` beside it. Neither belongs to this package.
"""

from __future__ import annotations

import csv
import enum
import fnmatch
import importlib
import inspect
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, field
from pathlib import Path
from typing import Any, TextIO

from tfc.base.dtypes import DType
from tfc.base.records import dataclass

SAME, DIFFERENT, MISSING = "same", "different", "missing"
# Parameters of the recorded version that TensorFlow 1.15 has not, and one that it has alone: with
# or without them a signature is TensorFlow's.
LATER = {
    "alg", "allow_fast_lookup", "sparse_gradient",
    "bad_indices_policy", "beta", "exponential_avg_factor", "fn_output_signature", "grad_a",
    "grad_b", "index_type", "layout", "output_type", "use_own_namescope_for_non_slot_vars", "*args",
    "handle_data",
}  # fmt: skip
EARLIER = {"_sentinel"}
_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "api"
_GENERIC = "(self, /, *args, **kwargs)"


class UsageError(Exception):
    """The recording cannot be read."""


@dataclass
class Entry:
    """One public name. wanted, found: signatures, where they differ. members: names that a class
    lacks. programs: how many use it."""

    name: str
    kind: str
    state: str
    programs: int = 0
    wanted: str = ""
    found: str = ""
    members: list[str] = field(default_factory=list)


def read(folder: str | Path | None) -> tuple[dict[str, Any], dict[str, tuple[int, str]]]:
    """The recorded API, and (programs, kind) of every name that programs use.

    Raises:
      UsageError: there is no recording, or it is none.
    """
    place = Path(folder) if folder is not None else _BESIDE
    try:
        api = json.loads((place / "tf1_api.json").read_text())
        with open(place / "frequency.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        used = {row["symbol"]: (int(row["programs"]), row["kind"]) for row in rows}
    except FileNotFoundError as error:
        raise UsageError(
            f"no recorded API: {error.filename} does not exist; name the folder of tf1_api.json "
            "and frequency.csv with --api DIR"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{place} holds no recorded API: {error!r}") from None
    return api, used


def compare(api: dict[str, Any], used: dict[str, tuple[int, str]]) -> list[Entry]:
    """An entry for every recorded name, and for every other one that programs use, by name."""
    entries = [_entry(name, recorded, used) for name, recorded in api.items()]
    for name, (programs, kind) in used.items():
        if name.startswith("tf.") and name not in api:
            state = MISSING if _look_up(name) is _NOTHING else SAME
            entries.append(Entry(name, kind, state, programs))
    return sorted(entries, key=lambda e: e.name)


_NOTHING = object()


def _look_up(name: str) -> Any:
    """What goes by `name` in this package, `_NOTHING` if nothing does."""
    thing: Any = importlib.import_module("tfc")
    for part in name.split(".")[1:]:
        try:
            thing = getattr(thing, part)
        except AttributeError:
            return _NOTHING
    return thing


def _entry(name: str, recorded: dict[str, Any], used: dict[str, tuple[int, str]]) -> Entry:
    programs, kind = used.get(name, (0, ""))[0], recorded["kind"]
    thing = _look_up(name)
    if thing is _NOTHING:
        return Entry(name, kind, MISSING, programs)
    entry = Entry(name, kind, SAME, programs)
    if kind == "function" and recorded.get("sig"):
        _check(entry, recorded["sig"], thing)
    elif kind == "class" and inspect.isclass(thing):
        if recorded.get("init", _GENERIC) != _GENERIC:
            _check(entry, recorded["init"], thing)
        entry.members = [
            m
            for m in recorded.get("members") or {}
            if not m.startswith("_") and not hasattr(thing, m)
        ]
    return entry


def _check(entry: Entry, wanted: str, thing: Any) -> None:
    """Note in `entry` how the signature of `thing` differs from `wanted`, if it does."""
    try:
        parameters = list(inspect.signature(thing).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    found = [(_star(p) + p.name, _default(p)) for p in parameters if p.name != "self"]
    theirs = [pair for pair in parse(wanted) if pair[0] != "self"]
    own = {name for name, _ in found}
    known = [pair for pair in theirs if pair[0] not in LATER or pair[0] in own]
    kept = [pair for pair in found if pair[0] not in EARLIER]
    if not _equal(known, kept):
        entry.state, entry.wanted, entry.found = DIFFERENT, _text(theirs), _text(found)


def _star(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return "*"
    return "**" if parameter.kind is parameter.VAR_KEYWORD else ""


def _default(parameter: inspect.Parameter) -> str | None:
    """The default of a parameter as the recording writes it; None if it is required."""
    value = parameter.default
    if value is parameter.empty:
        return None
    if isinstance(value, DType):
        return f"tf.{value.name}"
    if isinstance(value, enum.Enum):
        return f"<{value}>"
    return "..." if value is ... else repr(value)


def parse(signature: str) -> list[tuple[str, str | None]]:
    """(name, default or None) of the parameters in the text of a signature; no annotations."""
    body = signature[1 : _closing(signature)]
    pairs: list[tuple[str, str | None]] = []
    for piece in _split(body, ","):
        left, *default = _split(piece.strip(), "=")
        name = _split(left.strip(), ":")[0].strip()
        if name and name not in ("/", "*"):
            pairs.append((name, default[0].strip() if default else None))
    return pairs


def _closing(text: str) -> int:
    """Where the parenthesis closes that opens `text`."""
    depth = 0
    for at, c in enumerate(text):
        depth += (c in "([{") - (c in ")]}")
        if depth == 0:
            return at
    return len(text)


def _split(text: str, mark: str) -> list[str]:
    """`text` at each `mark` that stands in no brackets and no quotes; at the first `=` or `:`."""
    pieces, depth, quote, start = [], 0, "", 0
    for at, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([{<":
            depth += 1
        elif c in ")]}>":
            depth -= 1
        elif c == mark and depth == 0:
            pieces.append(text[start:at])
            start = at + 1
            if mark != ",":
                break
    return [*pieces, text[start:]]


def _equal(
    theirs: Sequence[tuple[str, str | None]], ours: Sequence[tuple[str, str | None]]
) -> bool:
    if [name for name, _ in theirs] != [name for name, _ in ours]:
        return False
    return all(_same_default(a, b) for (_, a), (_, b) in zip(theirs, ours, strict=True))


def _same_default(wanted: str | None, found: str | None) -> bool:
    """Whether two defaults are equal; objects that are written by their address are, too."""
    if wanted is None or found is None or wanted == found:
        return wanted == found
    if wanted.startswith(("<", "...")) or re.match(r"\w+\(", wanted):
        return True
    try:
        return float(wanted) == float(found) and "'" not in found
    except ValueError:
        return wanted.strip("()[]") == found.strip("()[]")


def _text(pairs: Iterable[tuple[str, str | None]]) -> str:
    return f"({', '.join(n if d is None else f'{n}={d}' for n, d in pairs)})"


def selected(entries: Iterable[Entry], families: Sequence[str]) -> list[Entry]:
    """Those whose name is `tf.FAMILY` or lies in it, or fits it as a pattern; all without
    families."""
    names = [f if f == "tf" or f.startswith("tf.") else f"tf.{f}" for f in families]
    return [
        e
        for e in entries
        if not names
        or any(
            e.name == n or e.name.startswith(n + ".") or fnmatch.fnmatch(e.name, n) for n in names
        )
    ]


def totals(entries: Sequence[Entry]) -> dict[str, dict[str, int]]:
    """For each state, and for all, how many names there are, and how many uses by programs."""
    result = {}
    for state in (SAME, DIFFERENT, MISSING, "all"):
        chosen = [e for e in entries if state in (e.state, "all")]
        result[state] = {"names": len(chosen), "uses": sum(e.programs for e in chosen)}
    return result


def run(
    out: TextIO,
    families: Sequence[str] = (),
    folder: str | None = None,
    missing: bool = False,
    as_json: bool = False,
) -> int:
    """Print the comparison; the exit status 0.

    Raises:
      UsageError: there is no recording.
    """
    entries = selected(compare(*read(folder)), families)
    if not entries:
        raise UsageError(f"no recorded name is in {', '.join(families)}")
    shown = [e for e in entries if not missing or e.state == MISSING]
    if as_json:
        whole = {"totals": totals(entries), "names": [asdict(e) for e in shown]}
        out.write(json.dumps(whole, indent=1) + "\n")
        return 0
    width = max(len(e.name) for e in entries)
    for e in sorted(shown, key=lambda e: (-e.programs, e.name)):
        lacks = f"  lacks {', '.join(e.members)}" if e.members else ""
        out.write(f"{e.state:<9} {e.programs:>4} {e.name:<{width}}{lacks}".rstrip() + "\n")
        if e.state == DIFFERENT:
            out.write(f"{'':15}TensorFlow: {e.wanted}\n{'':15}here:       {e.found}\n")
    found = totals(entries)
    for state, counts in found.items():
        parts = []
        for what in ("names", "uses"):
            whole_count = found["all"][what]
            share = f" ({counts[what] / whole_count:.1%})" if whole_count else ""
            parts.append(f"{counts[what]:>6} {what}{share:<9}")
        out.write(f"{state:<9} {' '.join(parts)}".rstrip() + "\n")
    return 0
