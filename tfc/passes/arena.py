"""The arena: offsets for storages such that no two that live at one time overlap."""

from __future__ import annotations

from bisect import insort

from tfc.base.records import dataclass

# Below this many buffers the better of two assignments is taken; the second takes quadratic time.
FEW = 400


@dataclass(eq=False)
class Storage:
    """Arena bytes that one value, or several one after the other, lie in: from time `start` to
    time `end`, both included."""

    size: int
    start: int
    end: int
    offset: int = 0


def assign_offsets(storages: list[Storage]) -> int:
    """Give each storage an offset such that no two that live at one time overlap; the arena's
    size."""
    size = _in_time_order(storages)
    if len(storages) <= FEW and size > peak_of_live(storages):
        by_time = [storage.offset for storage in storages]
        better = _in_size_order(storages)
        if better < size:
            return better
        for storage, offset in zip(storages, by_time, strict=True):
            storage.offset = offset
    return size


def _in_time_order(storages: list[Storage]) -> int:
    """Best fit among the gaps that are free when a storage begins to live."""
    gaps: list[tuple[int, int]] = []  # (offset, size), by offset, never adjacent
    living: list[tuple[int, int, Storage]] = []  # (end, number, storage)
    top = 0
    for number, storage in enumerate(sorted(storages, key=lambda s: s.start)):
        while living and living[0][0] < storage.start:
            gone = living.pop(0)[2]
            _release(gaps, gone.offset, gone.size)
        fitting = [gap for gap in gaps if gap[1] >= storage.size]
        if fitting:
            gap = min(fitting, key=lambda g: g[1])
            gaps.remove(gap)
            storage.offset = gap[0]
            if gap[1] > storage.size:
                insort(gaps, (gap[0] + storage.size, gap[1] - storage.size))
        else:  # grow the last gap, if it ends the arena, or start behind it
            storage.offset = top
            if gaps and sum(gaps[-1]) == top:
                storage.offset = gaps.pop()[0]
            top = storage.offset + storage.size
        if storage.size:
            insort(living, (storage.end, number, storage), key=lambda entry: entry[:2])
    return top


def _release(gaps: list[tuple[int, int]], offset: int, size: int) -> None:
    """Put a gap back, joined with its neighbours."""
    kept = []
    for gap in gaps:
        if sum(gap) == offset:
            offset, size = gap[0], gap[1] + size
        elif offset + size == gap[0]:
            size += gap[1]
        else:
            kept.append(gap)
    gaps[:] = kept
    insort(gaps, (offset, size))


def _in_size_order(storages: list[Storage]) -> int:
    """The largest first, each as low as it fits."""
    placed: list[Storage] = []
    top = 0
    for storage in sorted(storages, key=lambda s: (-s.size, s.start)):
        offset = 0
        for other in sorted(placed, key=lambda s: s.offset):
            if other.end < storage.start or storage.end < other.start:
                continue
            if offset + storage.size <= other.offset:
                break
            offset = max(offset, other.offset + other.size)
        storage.offset = offset
        placed.append(storage)
        top = max(top, offset + storage.size)
    return top


def peak_of_live(storages: list[Storage]) -> int:
    """The most bytes that live at one time: no assignment of offsets needs less."""
    changes: dict[int, int] = {}
    for storage in storages:
        changes[storage.start] = changes.get(storage.start, 0) + storage.size
        changes[storage.end + 1] = changes.get(storage.end + 1, 0) - storage.size
    live = most = 0
    for at in sorted(changes):
        live += changes[at]
        most = max(most, live)
    return most
