"""Summary ops: serialized Summary messages for TensorBoard, made in Python.

The protocol buffers come from the `tensorboard` package, which is imported when the first summary
runs and not before.
"""

from __future__ import annotations

import functools
import struct
import sys
from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.shapes import TensorShape
from tfc.framework.opdef import ANY, OpDef
from tfc.ops import shape_rules as s
from tfc.ops.image import png

_LEAST, _MOST, _GROWTH = 1.0e-12, 1.0e20, 1.1  # the range of histogram limits, and their step
RED = (255, 0, 0, 255)


def _new_summary() -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary()


def _serialized(summary: Any) -> np.ndarray:
    result = np.empty((), object)
    result[()] = summary.SerializeToString()
    return result


def _text(tag: Any) -> str:
    return tag.decode("utf-8", "surrogateescape") if isinstance(tag, bytes) else str(tag)


def _scalar(*_: Any) -> list[TensorShape]:
    return [s.shape_of([])]


class ScalarSummary(
    OpDef, sig="ScalarSummary(tags: string, values: T) -> summary: string", T=dtypes.REALS
):
    """A Summary with one number for each tag."""

    shape = _scalar

    def host(op: Any, tags: np.ndarray, values: np.ndarray) -> np.ndarray:
        if tags.shape != values.shape and not (tags.size == values.size == 1):
            what = f" (tag '{_text(tags.ravel()[0])}')" if tags.size == 1 else ""
            raise errors.InvalidArgumentError(
                None,
                op,
                f"tags and values not the same shape: {s.text(tags.shape)} != "
                f"{s.text(values.shape)}{what}",
            )
        summary = _new_summary()
        for tag, value in zip(tags.ravel(), values.ravel(), strict=True):
            summary.value.add(tag=_text(tag), simple_value=float(value))
        return _serialized(summary)


@functools.cache
def bucket_limits() -> np.ndarray:
    """Upper limits of the default histogram buckets: growing by 10% away from zero both ways."""
    positive, limit = [], _LEAST
    while limit < _MOST:
        positive.append(limit)
        limit *= _GROWTH
    positive.append(sys.float_info.max)
    ups = np.array(positive)
    return np.concatenate([-ups[::-1], [0.0], ups])


def fill_histogram(histogram: Any, values: np.ndarray) -> None:
    """Write the distribution of `values`, finite doubles, into a HistogramProto.

    A value is in the first bucket whose limit is greater; runs of empty buckets are one bucket.
    """
    limits = bucket_limits()
    ordered = np.sort(values)  # and the limits looked up in it: there are fewer of them
    below = np.searchsorted(ordered, limits)
    below[-1] = len(ordered)  # a value at the last limit would be beyond every bucket
    counts = np.diff(below, prepend=0).astype(np.float64)
    histogram.min = float(ordered[0]) if values.size else sys.float_info.max
    histogram.max = float(ordered[-1]) if values.size else -sys.float_info.max
    histogram.num = float(values.size)
    # one after the other, as TensorFlow adds them
    histogram.sum = float(np.cumsum(values)[-1]) if values.size else 0.0
    histogram.sum_squares = float(np.cumsum(values * values)[-1]) if values.size else 0.0
    empty = counts <= 0.0
    kept = ~empty | np.append(~empty[1:], True)
    histogram.bucket_limit.extend(limits[kept].tolist())
    histogram.bucket.extend(counts[kept].tolist())


class HistogramSummary(
    OpDef,
    sig="HistogramSummary(tag: string, values: T, T: type = float32) -> summary: string",
    T=dtypes.REALS,
):
    """A Summary with the distribution of `values`, which must be finite."""

    shape = _scalar

    def host(op: Any, tag: np.ndarray, values: np.ndarray) -> np.ndarray:
        flat = values.ravel().astype(np.float64)
        if np.isnan(flat).any():
            raise errors.InvalidArgumentError(None, op, f"Nan in summary histogram for: {op.name}")
        if np.isinf(flat).any():
            raise errors.InvalidArgumentError(
                None, op, f"Infinity in summary histogram for: {op.name}"
            )
        summary = _new_summary()
        value = summary.value.add(tag=_text(tag.ravel()[0]))
        fill_histogram(value.histo, flat)
        return _serialized(summary)


def as_pixels(image: np.ndarray, bad_color: np.ndarray) -> np.ndarray:
    """A floating image scaled to uint8: [0, max] to [0, 255], or, where there are negative values,
    symmetrically around 128. Pixels that are not finite get `bad_color`."""
    values = image.astype(np.float32)
    finite = np.isfinite(values).all(axis=-1)
    inside = values[finite]
    low, high = inside.min(initial=np.inf), inside.max(initial=-np.inf)
    if low < 0:
        most, target, offset = max(abs(low), abs(high)), 127.0, 128.0
    else:
        most, target, offset = high, 255.0, 0.0
    scale = np.float32(0.0 if most < 1e-6 else target / most)
    pixels = np.empty(image.shape, np.uint8)
    pixels[:] = bad_color[: image.shape[-1]]
    pixels[finite] = (inside * scale + np.float32(offset)).astype(np.uint8)
    return pixels


class ImageSummary(
    OpDef,
    sig="ImageSummary(tag: string, tensor: T, max_images: int = 3, bad_color: tensor = None,"
    " T: type = float32)"
    " -> summary: string",
    T=("u8", "f32", "f16", "f64"),
):
    """A Summary with up to `max_images` images, from a batch [batch, height, width, channels]."""

    shape = _scalar

    def host(
        op: Any, tag: np.ndarray, tensor: np.ndarray, *, max_images: int, bad_color: Any
    ) -> np.ndarray:
        if tensor.ndim != 4 or tensor.shape[3] not in (1, 3, 4):
            raise errors.InvalidArgumentError(
                None,
                op,
                "Tensor must be 4-D with last dim 1, 3, or 4, not " + s.text(tensor.shape),
            )
        color = np.array(RED, np.uint8) if bad_color is None else bad_color.array
        summary, name = _new_summary(), _text(tag.ravel()[0])
        for i in range(min(max_images, tensor.shape[0])):
            image = tensor[i]
            pixels = image if image.dtype == np.uint8 else as_pixels(image, color)
            value = summary.value.add(
                tag=f"{name}/image/{i}" if max_images > 1 else f"{name}/image"
            )
            value.image.height, value.image.width = image.shape[0], image.shape[1]
            value.image.colorspace = image.shape[2]
            value.image.encoded_image_string = png.encode(pixels)
        return _serialized(summary)


def encode_wav(frames: np.ndarray, sample_rate: int) -> bytes:
    """A 16-bit WAV file of float frames [length, channels] in [-1, 1]; others are clipped."""
    channels = frames.shape[1]
    scaled = np.clip(np.round(frames.astype(np.float32) * 32767.0), -32768, 32767)
    data = scaled.astype("<i2").tobytes()
    form = struct.pack(
        "<HHIIHH", 1, channels, sample_rate, sample_rate * channels * 2, channels * 2, 16
    )
    body = b"fmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


class AudioSummaryV2(
    OpDef,
    sig="AudioSummaryV2(tag: string, tensor: float32, sample_rate: float32, max_outputs: int = 3)"
    " -> summary: string",
):
    """A Summary with up to `max_outputs` sounds, from [batch, frames(, channels)] in [-1, 1]."""

    shape = _scalar

    def host(
        op: Any,
        tag: np.ndarray,
        tensor: np.ndarray,
        sample_rate: np.ndarray,
        *,
        max_outputs: int,
    ) -> np.ndarray:
        if tensor.ndim not in (2, 3):
            raise errors.InvalidArgumentError(
                None, op, f"Tensor must be 3-D or 2-D, got: {s.text(tensor.shape)}"
            )
        rate = float(sample_rate)
        if rate <= 0:
            raise errors.InvalidArgumentError(None, op, "sample_rate must be > 0")
        sounds = tensor if tensor.ndim == 3 else tensor[:, :, None]
        summary, name = _new_summary(), _text(tag.ravel()[0])
        for i in range(min(max_outputs, sounds.shape[0])):
            value = summary.value.add(
                tag=f"{name}/audio/{i}" if max_outputs > 1 else f"{name}/audio"
            )
            value.audio.sample_rate = rate
            value.audio.length_frames, value.audio.num_channels = sounds.shape[1:]
            value.audio.content_type = "audio/wav"
            value.audio.encoded_audio_string = encode_wav(sounds[i], int(rate))
        return _serialized(summary)


class TensorSummaryV2(
    OpDef,
    sig="TensorSummaryV2(tag: string, tensor: T, serialized_summary_metadata: string)"
    " -> summary: string",
    T=ANY,
):
    """A Summary with a whole tensor, for the plugin that the metadata names."""

    shape = _scalar

    def host(tag: np.ndarray, tensor: np.ndarray, metadata: np.ndarray) -> np.ndarray:
        summary = _new_summary()
        value = summary.value.add(tag=_text(tag.ravel()[0]))
        value.metadata.ParseFromString(metadata.ravel()[0])
        proto = value.tensor
        proto.dtype = dtypes.as_dtype(tensor.dtype).as_datatype_enum
        for extent in tensor.shape:
            proto.tensor_shape.dim.add(size=extent)
        if tensor.dtype == object:
            proto.string_val.extend(tensor.ravel().tolist())
        else:
            proto.tensor_content = tensor.tobytes()
        return _serialized(summary)


class MergeSummary(OpDef, sig="MergeSummary(inputs: N * string) -> summary: string"):
    """One Summary of all values of the inputs, whose tags must differ."""

    shape = _scalar

    def host(op: Any, *inputs: np.ndarray) -> np.ndarray:
        merged, part = _new_summary(), _new_summary()
        tags = set()
        for text in (t for array in inputs for t in array.ravel()):
            try:
                part.ParseFromString(text)
            except Exception:
                raise errors.InvalidArgumentError(
                    None, op, "Could not parse one of the summary inputs"
                ) from None
            for value in part.value:
                if value.tag in tags:
                    raise errors.InvalidArgumentError(
                        None, op, f"Duplicate tag {value.tag} found in summary inputs"
                    )
                if value.tag:
                    tags.add(value.tag)
                merged.value.add().CopyFrom(value)
        return _serialized(merged)
