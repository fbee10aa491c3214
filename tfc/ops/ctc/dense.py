"""The CTC loss of labels that are dense, and what prepares such labels."""

from __future__ import annotations

from typing import Any

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.framework.sparse_tensor import SparseTensor
from tfc.ir.core import Type, Value
from tfc.ops import shape_rules
from tfc.ops.array_ops import (
    boolean_mask,
    concat,
    expand_dims,
    pad,
    reshape,
    scatter_nd,
    shape,
    transpose,
)
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import where
from tfc.ops.const_ops import ones_like
from tfc.ops.ctc.loss import Rows, ctc_loss, loss_and_gradient
from tfc.ops.functional_ops import map_fn
from tfc.ops.loops import Calc
from tfc.ops.lowering import invalid
from tfc.ops.reduction_ops import reduce_max, reduce_sum
from tfc.ops.reverse_ops import sequence_mask
from tfc.ops.scan_ops import range_
from tfc.ops.stitch_ops import unique


class CTCLossDense(
    OpDef,
    sig="CTCLossDense(inputs: T, labels: int32, label_length: int32, logit_length: int32)"
    " -> loss: T, gradient: T",
    T=("f32", "f64"),
):
    """`CTCLoss` of labels [batch, most], of which label_length count: rows that cannot be have an
    infinite loss. (TensorFlow's is a function of many ops.)"""

    def shape(
        inputs: TensorShape, labels: TensorShape, label_length: TensorShape, length: TensorShape
    ) -> list[TensorShape]:
        dims = shape_rules.with_rank(inputs, 3)
        batch = dims[1]
        for other, rank in ((labels, 2), (label_length, 1), (length, 1)):
            batch = shape_rules.merge_dim(batch, shape_rules.with_rank(other, rank)[0])
        full = [dims[0], batch, dims[2]]
        return [shape_rules.shape_of([batch]), shape_rules.shape_of(full)]

    def grad(op: Any, dloss: Any, _: Any) -> list[Any]:
        return [expand_dims(dloss, -1) * op.outputs[1], None, None, None]

    def lower(
        build: Any, inputs: Value, labels: Value, label_length: Value, logit_length: Value
    ) -> tuple[Value, Value]:
        steps, batch, classes = inputs.type.shape
        if labels.type.shape[0] != batch or label_length.type.shape != (batch,):
            raise invalid(build, f"labels and their lengths must have {batch} rows")
        if logit_length.type.shape != (batch,) or not inputs.type.size:
            raise invalid(build, f"logits must not be empty, and their lengths be {batch}")
        calc = Calc(build)
        most = labels.type.shape[1]
        count = calc(label_length)
        build.assert_(
            ((count >= 0) & (count <= most)).value, (label_length,), "InvalidArgumentError",
            f"label_length[{{i}}] is {{0}}, and labels have {most} columns",
        )  # fmt: skip
        place = calc(p.iota(build, dtype="i32", shape=(batch, most), dim=1))
        taken = place < calc(p.broadcast(build, label_length, dims=(0,), shape=(batch, most)))
        given = calc(labels)
        build.assert_(
            (~taken | ((given >= 0) & (given < classes - 1))).value, (labels,),
            "InvalidArgumentError", f"a label is {{0}}, and there are {classes - 1} of them",
        )  # fmt: skip
        rows = Rows(given.where(taken, classes - 1).value, label_length, label_length)
        never = calc(p.splat(build, False, Type("i1", (batch,))))
        return loss_and_gradient(build, inputs, rows, logit_length, never, True)


def _blank_last(logits: Tensor, blank: Any) -> Tensor:
    """Logits whose class `blank` is the last one."""
    parts = [logits[:, :, :blank], logits[:, :, blank + 1 :], logits[:, :, blank : blank + 1]]
    return concat(parts, axis=2)


def ctc_loss_v2(
    labels: Any,
    logits: Any,
    label_length: Any,
    logit_length: Any,
    logits_time_major: bool = True,
    unique: Any = None,
    blank_index: int | None = None,
    name: str | None = None,
) -> Tensor:
    """The CTC loss of each row: [batch].

    labels: int [batch, most] with label_length [batch], or a SparseTensor, for which label_length
    is not used. logits: [time, batch, classes], batch first unless `logits_time_major`.
    logit_length: [batch]. unique: what `ctc_unique_labels` gives; nothing here needs it.
    blank_index: which class is the blank: 0 for dense labels, negative ones count from the end.

    Raises:
      ValueError: labels are sparse, and there is no blank_index.
    """
    logits = convert_to_tensor(logits, name="logits")
    classes: Any = logits.get_shape()[2].value if logits.get_shape().ndims else None
    classes = shape(logits)[2] if classes is None else classes
    if isinstance(labels, SparseTensor):
        if blank_index is None:
            raise ValueError("blank_index must be given when using SparseTensor labels.")
        blank = blank_index + classes if blank_index < 0 else blank_index
        if not (isinstance(blank, int) and blank == classes - 1):
            logits = _blank_last(logits, blank)
            values = where(labels.values < blank, labels.values, labels.values - 1)
            labels = SparseTensor(labels.indices, values, labels.dense_shape)
        return ctc_loss(labels, logits, logit_length, time_major=logits_time_major)
    with name_scope(name, "ctc_loss_dense", [logits, labels, label_length, logit_length]):
        blank = blank_index or 0
        blank = blank + classes if isinstance(blank, int) and blank < 0 else blank
        dense = cast(convert_to_tensor(labels, name="labels"), dtypes.int32)
        lengths = [
            cast(convert_to_tensor(v, name=n), dtypes.int32)
            for v, n in ((label_length, "label_length"), (logit_length, "logit_length"))
        ]
        if not logits_time_major:
            logits = transpose(logits, [1, 0, 2])
        if not (isinstance(blank, int) and blank == classes - 1):
            logits = _blank_last(logits, blank)
            dense = where(dense < blank, dense, dense - 1)
        loss: Tensor = apply("CTCLossDense", logits, dense, *lengths)[0]
        return loss


def collapse_repeated(
    labels: Any, seq_length: Any, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """Labels [batch, most] with runs of one label made one, and the new lengths [batch].

    Rows are as long as the longest of them, and end in zeros.
    """
    with name_scope(name, "collapse_repeated_labels", [labels, seq_length]):
        labels = convert_to_tensor(labels, name="labels")
        seq_length = convert_to_tensor(seq_length, name="seq_length")
        first = cast(ones_like(labels[:, :1]), dtypes.bool_)
        fresh = concat([first, apply("NotEqual", labels[:, 1:], labels[:, :-1])], axis=1)
        inside = sequence_mask(seq_length, maxlen=shape(labels)[1])
        kept = apply("LogicalAnd", fresh, inside)
        lengths = reduce_sum(cast(kept, dtypes.int32), axis=1)
        most = reduce_max(lengths)
        filled = reshape(sequence_mask(lengths, maxlen=most), [-1])
        places = boolean_mask(range_(shape(filled)[0]), filled)
        taken = boolean_mask(reshape(labels, [-1]), reshape(kept, [-1]))
        flat = scatter_nd(expand_dims(places, axis=1), taken, shape(filled))
        batch = labels.get_shape()[0].value
        rows = shape(labels)[0] if batch is None else batch
        return reshape(flat, [rows, most]), cast(lengths, seq_length.dtype)


def ctc_unique_labels(labels: Any, name: str | None = None) -> Any:
    """Of each row of labels [batch, most]: its different values, with zeros after them, int64, and
    which of them stands at each place, int32."""
    with name_scope(name, "ctc_unique_labels", [labels]):
        labels = convert_to_tensor(labels, name="labels")

        def of_row(row: Tensor) -> list[Any]:
            values, places = unique(row)
            missing = shape(places)[0] - shape(values)[0]
            return [cast(pad(values, [[0, missing]]), dtypes.int64), places]

        return map_fn(of_row, labels, dtype=[dtypes.int64, dtypes.int32])
