"""`tf.print`, and the time."""

from __future__ import annotations

import itertools
import pprint
import sys
import time
from typing import Any

import numpy as np

from tfc.base import logging, nest
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Operation, Tensor, convert_to_tensor
from tfc.framework.opdef import OpDef, apply
from tfc.framework.sparse_tensor import SparseTensor
from tfc.ops.common import scalar
from tfc.ops.strings.common import shown

_LEVELS = {
    "log(info)": logging.INFO,
    "log(warning)": logging.WARN,
    "log(error)": logging.ERROR,
}
_FILE = "file://"


class PrintV2(
    OpDef,
    sig="PrintV2(input: string, output_stream: str = 'stderr', end: str = '\\n') -> ()",
):
    """A string to the standard output, the standard error, the log or a file. A host op."""

    stateful = True

    def shape(input: TensorShape) -> list[TensorShape]:
        if input.ndims not in (None, 0):
            raise ValueError(f"Shape must be rank 0 but is rank {input.ndims}")
        return []

    def host(input: np.ndarray, *, output_stream: str, end: str) -> None:
        text = shown(input.item())
        if output_stream in _LEVELS:
            logging.log(_LEVELS[output_stream], "%s", text)
        elif output_stream.startswith(_FILE):
            with open(output_stream.removeprefix(_FILE), "a") as file:
                file.write(text + end)
        else:
            stream = sys.stdout if output_stream == "stdout" else sys.stderr
            stream.write(text + end)
            stream.flush()


class Timestamp(OpDef, sig="Timestamp() -> ts: float64"):
    """Seconds since 1970, when the op runs. A host op: a clock is no number of a graph."""

    stateful = True
    shape = scalar

    def host() -> np.ndarray:
        return np.float64(time.time())  # type: ignore[return-value]


def timestamp(name: str | None = None) -> Tensor:
    """Seconds since 1970, as float64, each time it is run."""
    return apply("Timestamp", name=name)


def _stream(given: Any) -> str:
    """The attribute that names a stream. Raises ValueError: it is none."""
    if given is None:
        return "stderr"
    names = {id(sys.stdout): "stdout", id(sys.stderr): "stderr"}
    names |= {id(logging.info): "log(info)", id(logging.warning): "log(warning)"}
    names |= {id(logging.warn): "log(warning)", id(logging.error): "log(error)"}
    if id(given) in names:
        return names[id(given)]
    if isinstance(given, str) and given.startswith(_FILE):
        return given
    for text, level in _LEVELS.items():
        if type(given) is int and given == level:
            return text
    raise ValueError(
        f"Unsupported output stream, logging level, or file: {given}. Supported streams are "
        "sys.stdout, sys.stderr, tf.logging.info, tf.logging.warning, tf.logging.error, and a "
        "path that starts with file://"
    )


class _Place:
    """What stands for tensors in a structure while it is printed."""

    def __init__(self, text: str):
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor) or hasattr(value, "_as_graph_element")


def _template(value: Any, mark: str, tensors: list[Any]) -> str:
    """The text of `value` with `mark` for each tensor, which is added to `tensors`."""
    if isinstance(value, str):
        return value

    def placed(leaf: Any) -> Any:
        if isinstance(leaf, SparseTensor):
            tensors.extend([leaf.indices, leaf.values, leaf.dense_shape])
            return f"SparseTensor(indices={mark}, values={mark}, shape={mark})"
        if _is_tensor(leaf):
            tensors.append(leaf)
            return _Place(mark)
        return leaf

    return pprint.pformat(nest.map_leaves(placed, value))


def print_(*inputs: Any, **kwargs: Any) -> Operation:
    """An op that prints `inputs` when it runs: tensors, and structures of them and of others.

    kwargs: output_stream (sys.stderr), where to: a stream, a function of tf.logging, or a path
    that starts with file://. summarize (3): elements at each end of an axis that are shown, -1 for
    all. sep (" ") between the inputs, end (a line end) after them, name.

    Raises:
      ValueError: other keywords, or another stream.
    """
    given: dict[str, Any] = {
        "output_stream": None,
        "name": None,
        "summarize": 3,
        "sep": " ",
        "end": "\n",
    }
    unknown = [key for key in kwargs if key not in given]
    if unknown:
        raise ValueError(f"Unrecognized keyword arguments for tf.print: {unknown}")
    given |= kwargs
    stream, name = _stream(given["output_stream"]), given["name"]
    alone = len(inputs) == 1 and isinstance(inputs[0], Tensor)
    if alone and inputs[0].dtype.name == "string" and inputs[0].get_shape().ndims == 0:
        text = inputs[0]
    else:
        without = " ".join(_template(value, "", []) for value in inputs)
        marks = ("{}" + str(i or "") for i in itertools.count())
        mark = next(m for m in marks if m not in without)
        tensors: list[Any] = []
        template = given["sep"].join(_template(value, mark, tensors) for value in inputs)
        text = apply(
            "StringFormat", [convert_to_tensor(t) for t in tensors], template=template,
            placeholder=mark, summarize=given["summarize"],
            name=f"{name}_format" if name else None,
        )  # fmt: skip
    operation: Operation = apply("PrintV2", text, output_stream=stream, end=given["end"], name=name)
    return operation
