"""CTC decoders. Host ops: how many labels come out is data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.framework.sparse_tensor import SparseTensor
from tfc.ops import shape_rules
from tfc.ops.common import no_gradient

_ZERO = -math.inf


def _decoded_shape(paths: int) -> Any:
    def shape(inputs: TensorShape, lengths: TensorShape, *, op: Any, **_: Any) -> list[TensorShape]:
        dims = shape_rules.with_rank(inputs, 3)
        batch = shape_rules.merge_dim(dims[1], shape_rules.with_rank(lengths, 1)[0])
        count = paths or op.get_attr("top_paths")
        indices, values = TensorShape([None, 2]), TensorShape([None])
        probability = shape_rules.shape_of([batch, count])
        return [*[indices] * count, *[values] * count, *[TensorShape([2])] * count, probability]

    return shape


def _check(inputs: np.ndarray, lengths: np.ndarray, op: Any) -> None:
    if inputs.ndim != 3:
        raise errors.InvalidArgumentError(None, op, "inputs is not a 3-Tensor")
    if inputs.size == 0:
        raise errors.InvalidArgumentError(None, op, "inputs must not be empty")
    steps, batch, _ = inputs.shape
    if lengths.shape != (batch,):
        raise errors.FailedPreconditionError(
            None, op, "len(sequence_length) != batch_size.  len(sequence_length):  "
            f"{lengths.shape} batch_size: {batch}",
        )  # fmt: skip
    if lengths.max(initial=0) > steps:
        row = int((lengths > steps).argmax())
        raise errors.FailedPreconditionError(None, op, f"sequence_length({row}) <= {steps}")


def _stored(paths: list[list[list[int]]]) -> list[np.ndarray]:
    """Indices, values and shapes of sparse tensors from the labels of each path and row."""
    indices, values, shapes = [], [], []
    for rows in paths:
        places = [(row, i) for row, labels in enumerate(rows) for i in range(len(labels))]
        indices.append(np.array(places, np.int64).reshape(-1, 2))
        values.append(np.array([v for labels in rows for v in labels], np.int64))
        shapes.append(np.array([len(rows), max(map(len, rows), default=0)], np.int64))
    return [*indices, *values, *shapes]


def _path_scores(inputs: np.ndarray, best: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """[batch, 1]: 0, less the logits of the labels `best` [time, batch] up to each length, one
    after the other."""
    steps, batch, classes = inputs.shape
    places = np.arange(0, inputs.size, classes).reshape(steps, batch) + best
    falls = np.zeros((steps + 1, batch), inputs.dtype)
    np.negative(inputs.reshape(-1).take(places), out=falls[1:])
    falls = np.cumsum(falls, axis=0, out=falls)
    total: np.ndarray = falls[np.maximum(lengths, 0), np.arange(batch)]
    return total.reshape(batch, 1)


class CTCGreedyDecoder(
    OpDef,
    sig="CTCGreedyDecoder(inputs: T, sequence_length: int32, merge_repeated: bool = False,"
    " blank_index: int = -1,"
    " T: type = float32) -> decoded_indices: int64, decoded_values: int64,"
    " decoded_shape: int64, log_probability: T",
    T=("f32", "f64"),
):
    """The most probable class at each time, without blanks and repetitions. A host op."""

    shape = _decoded_shape(1)
    grad = no_gradient

    def host(
        inputs: np.ndarray, lengths: np.ndarray, *, merge_repeated: bool, blank_index: int, op: Any
    ) -> tuple[np.ndarray, ...]:
        _check(inputs, lengths, op)
        classes = inputs.shape[2]
        if not -classes <= blank_index < classes:
            raise errors.InvalidArgumentError(
                None, op, f"blank_index expected to be between {-classes} and {classes - 1} but "
                f"was {blank_index}",
            )  # fmt: skip
        best = inputs.argmax(axis=2)
        labels = best.T
        kept = labels != blank_index % classes
        if merge_repeated:
            kept[:, 1:] &= labels[:, 1:] != labels[:, :-1]
        kept &= np.arange(len(inputs)) < lengths[:, None]
        rows, times = np.nonzero(kept)
        counts = np.count_nonzero(kept, axis=1)
        starts = np.cumsum(counts) - counts
        places = np.arange(len(rows)) - starts.take(rows)
        indices = np.stack([rows, places], axis=1).astype(np.int64, copy=False)
        values = labels[rows, times].astype(np.int64, copy=False)
        shape = np.array([len(lengths), counts.max(initial=0)], np.int64)
        return indices, values, shape, _path_scores(inputs, best, lengths)


def _log_sum(a: float, b: float) -> float:
    if a == _ZERO or b == _ZERO:
        return max(a, b)
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))


class _Beam:
    """A prefix: its probability now and a step ago, of ending in a label or in a blank."""

    __slots__ = ("before", "blank", "blank_before", "children", "ends", "label", "parent", "total")

    def __init__(self, parent: _Beam | None, label: int):
        self.parent, self.label = parent, label
        self.children: dict[int, _Beam] = {}
        self.total = self.blank = self.ends = self.before = self.blank_before = _ZERO

    def leave(self) -> None:
        """Be no longer among the beams."""
        self.total = self.blank = self.ends = _ZERO

    def labels(self, merge_repeated: bool) -> list[int]:
        found: list[int] = []
        node, later = self, -1
        while node.parent is not None:
            if not merge_repeated or node.label != later:
                found.append(node.label)
            later, node = node.label, node.parent
        return found[::-1]


def _advance(beams: list[_Beam], scores: list[float], width: int) -> list[_Beam]:
    """The beams after one more time step; `scores` are log probabilities, the last the blank's."""
    for beam in beams:
        beam.before, beam.blank_before = beam.total, beam.blank
    for beam in beams:
        parent = beam.parent
        if parent is not None:
            if parent.total != _ZERO:
                same = beam.label == parent.label
                gained = parent.blank_before if same else parent.before
                beam.ends = _log_sum(beam.ends, gained)
            beam.ends += scores[beam.label]
        beam.blank = beam.before + scores[-1]
        beam.total = _log_sum(beam.blank, beam.ends)
    kept = sorted(beams, key=lambda b: -b.total)
    for beam in beams:
        if not (beam.before > _ZERO and (len(kept) < width or beam.before > kept[-1].total)):
            continue
        for label, score in enumerate(scores[:-1]):
            child = beam.children.get(label)
            if child is None:
                child = beam.children[label] = _Beam(beam, label)
            if child.total != _ZERO:
                continue
            gained = beam.blank_before if label == beam.label else beam.before
            total = score + gained
            if total > _ZERO and (len(kept) < width or total > kept[-1].total):
                child.blank, child.ends, child.total = _ZERO, total, total
                if len(kept) == width:
                    kept.pop().leave()
                _insert(kept, child)
            else:
                child.leave()
                child.before = child.blank_before = _ZERO
    return kept


def _insert(kept: list[_Beam], beam: _Beam) -> None:
    """Put `beam` where it belongs among beams of falling probability."""
    low, high = 0, len(kept)
    while low < high:
        middle = (low + high) // 2
        if kept[middle].total >= beam.total:
            low = middle + 1
        else:
            high = middle
    kept.insert(low, beam)


class CTCBeamSearchDecoder(
    OpDef,
    sig="CTCBeamSearchDecoder(inputs: T, sequence_length: int32, beam_width: int, top_paths: int,"
    " merge_repeated: bool = True,"
    " T: type = float32) -> decoded_indices: top_paths * int64,"
    " decoded_values: top_paths * int64, decoded_shape: top_paths * int64, log_probability: T",
    T=("f32", "f64"),
):
    """The most probable sequences of labels, searched with `beam_width` prefixes. A host op."""

    shape = _decoded_shape(0)
    grad = no_gradient

    def host(
        inputs: np.ndarray, lengths: np.ndarray, *, beam_width: int, top_paths: int,
        merge_repeated: bool, op: Any,
    ) -> tuple[np.ndarray, ...]:  # fmt: skip
        _check(inputs, lengths, op)
        if top_paths > beam_width:
            raise errors.InvalidArgumentError(None, op, "requested more paths than the beam width.")
        wide = inputs.astype(np.float64)
        best = wide.max(axis=2, keepdims=True)
        scores = wide - best - np.log(np.exp(wide - best).sum(axis=2, keepdims=True))
        paths: list[list[list[int]]] = [[] for _ in range(top_paths)]
        chances = np.zeros((inputs.shape[1], top_paths), inputs.dtype)
        for row, length in enumerate(lengths):
            root = _Beam(None, -1)
            root.total = root.blank = 0.0
            beams = [root]
            for step in range(max(length, 0)):
                beams = _advance(beams, scores[step, row].tolist(), beam_width)
            if len(beams) < top_paths:
                raise errors.InvalidArgumentError(
                    None, op, "Less leaves in the beam search than requested."
                )
            for i, beam in enumerate(beams[:top_paths]):
                paths[i].append(beam.labels(merge_repeated))
                chances[row, i] = beam.total
        return (*_stored(paths), chances)


def ctc_greedy_decoder(
    inputs: Any, sequence_length: Any, merge_repeated: bool = True, blank_index: int | None = None
) -> tuple[list[SparseTensor], Tensor]:
    """([the best path as a SparseTensor [batch, most labels]], the negated sums of the greatest
    logits [batch, 1]) of logits [time, batch, classes]."""
    indices, values, shape, score = apply(
        "CTCGreedyDecoder", inputs, sequence_length, merge_repeated=merge_repeated,
        blank_index=-1 if blank_index is None else blank_index,
    )  # fmt: skip
    return [SparseTensor(indices, values, shape)], score


def ctc_beam_search_decoder(
    inputs: Any,
    sequence_length: Any,
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
) -> tuple[list[SparseTensor], Tensor]:
    """(the `top_paths` best sequences as SparseTensors, their log probabilities [batch, top_paths])
    of logits [time, batch, classes]; repeated labels are merged if asked for.

    Raises:
      ValueError: beam_width or top_paths is below 1.
    """
    for name, value in (("beam_width", beam_width), ("top_paths", top_paths)):
        shape_rules.check_attr("CTCBeamSearchDecoder", name, value, 1)
    indices, values, shapes, score = apply(
        "CTCBeamSearchDecoder", inputs, sequence_length, beam_width=beam_width,
        top_paths=top_paths, merge_repeated=merge_repeated,
    )  # fmt: skip
    parts = zip(indices, values, shapes, strict=True)
    return [SparseTensor(*part) for part in parts], score


def ctc_beam_search_decoder_v2(
    inputs: Any, sequence_length: Any, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[SparseTensor], Tensor]:
    """`ctc_beam_search_decoder` without merging repeated labels."""
    return ctc_beam_search_decoder(inputs, sequence_length, beam_width, top_paths, False)
