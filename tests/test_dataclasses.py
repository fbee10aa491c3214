"""`tfc.base.records.dataclass` makes what the standard library's decorator makes."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import sys
from typing import Any, ClassVar

import pytest

from tfc.base import records


def classes(dataclass: Any) -> dict[str, Any]:
    """Classes of all kinds that are in use, made by one of the two decorators."""

    @dataclass
    class Plain:
        """Fields of all kinds."""

        a: int
        b: Any = 3
        c: list = dataclasses.field(default_factory=list)
        d: int = dataclasses.field(default=5, repr=False, compare=False)
        e: int = dataclasses.field(default=7, init=False)
        f: list = dataclasses.field(default_factory=list, init=False)
        kind: ClassVar[int] = 1

    @dataclass(frozen=True)
    class Frozen:
        a: Any
        b: Any = (1, 2)

    @dataclass(frozen=True)
    class Derived(Frozen):
        c: Any = 1

    class Open(Frozen):
        pass

    @dataclass(frozen=True)
    class One:
        a: Any

    @dataclass(frozen=True)
    class Empty:
        pass

    @dataclass(eq=False)
    class Identity:
        a: int

    @dataclass(frozen=True, eq=False)
    class FrozenIdentity:
        a: int

    @dataclass(frozen=True, slots=True)
    class Slots:
        a: int
        b: int = 2

    @dataclass(frozen=True)
    class Own:
        a: int

        def __post_init__(self) -> None:
            object.__setattr__(self, "a", self.a + 1)

        def __repr__(self) -> str:
            return "mine"

        def __hash__(self) -> int:
            return 99

        def __eq__(self, other: object) -> bool:
            return True

    return {k: v for k, v in locals().items() if k != "dataclass"}


MINE, THEIRS = classes(records.dataclass), classes(dataclasses.dataclass)
NAN = float("nan")
OTHERWISE_EQUAL = "Identity", "FrozenIdentity", "Own", "Empty"  # not by their fields
ARGUMENTS: list[tuple[tuple, dict]] = [
    ((), {}), ((1,), {}), ((1, 2), {}), ((), {"a": 1}), ((1,), {"b": [2]}), ((1, 2, [3], 4), {}),
    ((1, 2, [3], 4, 5, 6), {}), ((1,), {"x": 2}), (([],), {}), ((NAN,), {}),
    ((1,), {"c": 4}), ((1,), {"e": 4}),
]  # fmt: skip


def seen(act: Any) -> Any:
    try:
        return repr(act())
    except Exception as error:
        return type(error), str(error)


def row(made: Any, args: tuple, named: dict) -> list[Any]:
    """All that there is to see of a value."""
    first = seen(lambda: made(*args, **named))
    if not isinstance(first, str):
        return [first]
    value, same = made(*args, **named), made(*args, **named)
    other = made(*[8 for _ in args], **dict.fromkeys(named, 8))
    acts = (
        lambda: value == object(),
        lambda: hash(value) if made.__hash__ is not object.__hash__ else 0,
        lambda: setattr(value, "a", 5),
        lambda: value.a,
        lambda: setattr(value, "new", 5),
        lambda: delattr(value, "a"),
        lambda: dataclasses.replace(same, a=9),
        lambda: dataclasses.asdict(same),
        lambda: copy.copy(same),
        lambda: copy.deepcopy(same),
    )
    compared = [value == same, value != same, value == other, value == 3]
    return [first, compared, sorted(getattr(value, "__dict__", {})), *map(seen, acts)]


@pytest.mark.parametrize("name", sorted(THEIRS))
def test_as_the_standard_library(name: str) -> None:
    mine, theirs = MINE[name], THEIRS[name]
    assert mine.__match_args__ == theirs.__match_args__
    names = [[f.name for f in dataclasses.fields(made)] for made in (mine, theirs)]
    assert names[0] == names[1]
    for args, named in ARGUMENTS:
        found, expected = row(mine, args, named), row(theirs, args, named)
        if name == "Slots" and len(found) > 1:  # before Python 3.12 theirs fails with a TypeError
            assert found.pop(7)[0] is dataclasses.FrozenInstanceError, (args, named)
            expected.pop(7)
        if NAN in args and sys.version_info >= (3, 13) and name not in OTHERWISE_EQUAL:
            # Theirs compares field by field there, and NaN is not NaN; ours as before.
            assert found.pop(1) == [True, False, False, False]
            assert expected.pop(1) == [False, True, False, False]
        assert found == expected, (args, named)


def test_values_of_derived_classes_are_others() -> None:
    for made in (MINE, THEIRS):
        assert made["Frozen"](1) != made["Derived"](1) and made["Frozen"](1) != made["Open"](1)
        assert made["Frozen"](1).__eq__(made["Open"](1)) is NotImplemented
        loop = made["Plain"](1)
        loop.b = loop
        assert "b=..." in repr(loop)


@records.dataclass(frozen=True)
class Kept:
    a: int
    b: tuple = ()


@records.dataclass(frozen=True, slots=True)
class KeptInSlots:
    a: int
    b: tuple = ()


@pytest.mark.parametrize("made", [Kept, KeptInSlots])
def test_frozen_values_are_pickled_and_are_keys(made: Any) -> None:
    value = made(1, (2,))
    assert {value: 1}[made(1, (2,))] == 1 and hash(value) == hash(made(1, (2,)))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(value, protocol)) == value
