"""The records that native dispatch reads, as 8-byte fields by position.

`client/fast_run.py` fills them, the code of this folder walks them. A TABLE belongs to a
Session (or to a callable of it) and heads a chain of ENTRYs. An ENTRY is one signature: what was
fetched, a FEED for each fed tensor, a VARIABLE for each place of the buffer table that holds a
variable's address, an OUTPUT for each array that is made, and the CONTEXT that the native function
is called with. A WATCH belongs to the process.
"""

from __future__ import annotations

from enum import IntEnum, auto


class _Fields(IntEnum):
    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last: list[int]) -> int:
        return count


class Table(_Fields):
    """What a Session's entries rely on, and the first of them."""

    MUTATIONS = auto()  # address of the graph's count of mutations
    MUTATIONS_THEN = auto()  # what it was when the entries were made
    GENERATION = auto()  # address of the variable store's generation
    GENERATION_THEN = auto()
    FIRST = auto()  # entry, or 0


class Kind(IntEnum):
    """What the object that is fetched is."""

    LEAF = 0
    LIST = 1
    TUPLE = 2
    DICT = 3
    NESTED = 4


class Entry(_Fields):
    """One signature of a run."""

    NEXT = auto()  # entry, or 0
    TABLE = auto()
    OWNER = auto()  # the Python object that keeps all that is referred to here
    KIND = auto()
    ITEMS_COUNT = auto()
    ITEMS = auto()  # objects: what is fetched; of a dict, (key, value) pairs
    RESULTS = auto()  # for each item the address of its OUTPUT, or 0 for an Operation
    FEEDS_COUNT = auto()
    FEEDS = auto()
    VARIABLES_COUNT = auto()
    VARIABLES = auto()
    OUTPUTS_COUNT = auto()
    OUTPUTS = auto()
    CONTEXT = auto()
    LOCK = auto()  # bound `acquire` of the Session's lock, or 0: no variable is touched
    UNLOCK = auto()  # bound `release`
    LONG = auto()  # 1: the GIL is released around the call
    FAILED = auto()  # 1: not to be used any more: it ended in an error, or was thrown away
    USED = auto()  # 1: since Python last looked
    RUNS = auto()  # address of a count of the runs that succeeded
    ROOT = auto()  # of what is nested: NODE
    CONVERTS = auto()  # 1: there are feeds with ROOM or results with HANDLER; feeds are HELD


class Node(_Fields):
    """A part of a nested fetch, and of the value that the caller gets for it."""

    KIND = auto()  # LEAF, LIST, TUPLE or DICT
    OBJECT = auto()  # a LEAF: itself; else its type
    COUNT = auto()
    CHILDREN = auto()  # NODEs, one after the other
    KEYS = auto()  # of a DICT: objects
    RESULT = auto()  # of a LEAF: OUTPUT; 0 for an Operation
    MAKE = auto()  # makes the value of a list of the children's; or 0


class Context(_Fields):
    """What one call at a time may use."""

    BUSY = auto()  # 1: a call is in flight
    FUNCTION = auto()  # i32 (ptr slots); another thread may put in one that does the same
    CALLED = auto()  # what FUNCTION was for the call in flight, or the last one
    SLOTS = auto()
    STOP = auto()  # address of the flag that ends the function's loops
    THREAD = auto()  # which one is in a function with loops, or 0
    WATCH = auto()  # of a function with loops; else 0


class Watch(_Fields):
    """How signals end loops of the main thread."""

    MAIN = auto()  # that thread
    ARGS = auto()  # objects: of `signal.set_wakeup_fd`, for an fd that somebody reads; or 0
    KEYWORDS = auto()
    FD = auto()  # the number
    CELL = auto()  # address of the i32 where the interpreter keeps the wakeup fd, or 0
    RUNNING = auto()  # address of the stop flag of the call in flight, or 0


class Number(IntEnum):
    """How a Python number becomes an element."""

    NONE = 0  # not here
    FLOAT32 = 1
    FLOAT64 = 2
    INTEGER = 3
    BOOL = 4


class Feed(_Fields):
    """A fed tensor, and the type of its value."""

    KEY = auto()  # the Tensor
    DESCR = auto()  # dtype object
    NUMBER = auto()  # of the dtype
    RANK = auto()
    DIMS = auto()  # address of i64s
    SLOT = auto()  # where in the buffer table the address of the data goes
    SCALAR = auto()  # numpy's type of one element
    CONVERSION = auto()  # Number
    LEAST = auto()  # of integers
    MOST = auto()
    CELL = auto()  # where a converted number is put
    VALUE = auto()  # the object that was fed, while the call is in flight
    SIZE = auto()  # bytes of an element
    REAL = auto()  # 1: numpy may convert real numbers of another dtype to this one
    ROOM = auto()  # the array that converted elements are put into; or 0
    HELD = auto()  # 1: VALUE counts as a reference


class Variable(_Fields):
    """A place of the buffer table that holds the address of a variable, or of what is kept."""

    CELL = auto()  # where the address stands
    SLOT = auto()
    VERSION = auto()  # address of a number that is counted up: the call may write the variable


class Output(_Fields):
    """A result that leaves as an array or a numpy scalar."""

    DESCR = auto()
    RANK = auto()
    DIMS = auto()
    SLOT = auto()
    CELL = auto()  # of a scalar: where the function writes it
    HANDLER = auto()  # of a large array: numpy's allocator for it; else 0
    OBJECT = auto()  # what was made, while the call is in flight
