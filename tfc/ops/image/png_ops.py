"""Images from files and to files: PNG. Host ops: files are strings."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.ops import shape_rules as s
from tfc.ops.common import no_gradient
from tfc.ops.image import contents as files
from tfc.ops.image import png
from tfc.ops.strings.functions import substr

_PIXELS = ("u8", "u16")


class DecodePng(
    OpDef,
    sig="DecodePng(contents: string, channels: int = 0, dtype: type = uint8) -> image: dtype",
    dtype=_PIXELS,
):
    """The image of a PNG file, [height, width, channels]."""

    grad = no_gradient

    def shape(contents: TensorShape, *, channels: int, **_: Any) -> list[TensorShape]:
        s.with_rank(contents, 0)
        if channels < 0:
            raise ValueError(f"channels must be non-negative, got {channels}")
        return [s.shape_of([None, None, channels or None])]

    def host(op: Any, contents: np.ndarray, *, channels: int, dtype: DType) -> np.ndarray:
        kinds = ("PNG", "JPEG", "GIF")
        wide = dtype.short == "u16"
        image = files.still(op, contents, channels, kinds, wide=wide)
        return image.astype(np.uint16) * np.uint16(256) if wide and image.itemsize == 1 else image


class EncodePng(
    OpDef,
    sig="EncodePng(image: T, compression: int = -1, T: type = uint8) -> contents: string",
    T=_PIXELS,
):
    """A PNG file of an image [height, width, channels] with 1 to 4 channels."""

    grad = no_gradient

    def shape(image: TensorShape, **_: Any) -> list[TensorShape]:
        s.with_rank(image, 3)
        return [TensorShape([])]

    def host(op: Any, image: np.ndarray, *, compression: int, **_: Any) -> np.ndarray:
        def wrong(message: str) -> errors.OpError:
            return errors.InvalidArgumentError(None, op, message)

        if not -1 <= compression <= 9:
            raise wrong(f"compression should be in [-1,9], got {compression}")
        if image.ndim != 3 or not image.size:
            raise wrong(f"image must be 3-dimensional and not empty {s.text(image.shape)}")
        if image.shape[2] > 4:
            raise wrong(f"image must have 1, 2, 3, or 4 channels, got {image.shape[2]}")
        contents = np.empty((), object)
        contents[()] = png.encode(image, compression)
        return contents


def decode_png(
    contents: Any, channels: int = 0, dtype: Any = dtypes.uint8, name: str | None = None
) -> Tensor:
    """The image of a PNG file, [height, width, channels], uint8 or uint16.

    channels: 1 gray, 3 RGB, 4 RGBA; 0: those of the file.

    Raises:
      InvalidArgumentError: in the run, the string is no PNG file (nor a JPEG file or a GIF file of
      one frame), or there is no such number of channels.
    """
    return apply("DecodePng", contents, channels=channels, dtype=dtype, name=name)


def encode_png(image: Any, compression: int = -1, name: str | None = None) -> Tensor:
    """A PNG file of a uint8 or uint16 image [height, width, channels] with 1 to 4 channels.

    compression: zlib's level from 0 to 9; -1: its default.

    Raises:
      InvalidArgumentError: in the run, there is no such level, or the image is no image.
    """
    return apply("EncodePng", convert_to_tensor(image), compression=compression, name=name)


def is_jpeg(contents: Any, name: str | None = None) -> Tensor:
    """Whether the string begins as JPEG files do."""
    with name_scope(name, "is_jpeg"):
        start = substr(contents, 0, 3)
        return apply("Equal", start, b"\xff\xd8\xff", name=name)
