"""Images from GIF, BMP and any files. Host ops: files are strings."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.dtypes import DType, as_dtype
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.ops import shape_rules as s
from tfc.ops.common import no_gradient
from tfc.ops.image import contents as files
from tfc.ops.image.color_functions import convert_image_dtype

_READ = ("u8", "u16", "f32")


def _image_shape(contents: TensorShape, channels: int) -> TensorShape:
    s.with_rank(contents, 0)
    if channels < 0:
        raise ValueError(f"channels must be non-negative, got {channels}")
    return s.shape_of([None, None, channels or None])


class DecodeGif(OpDef, sig="DecodeGif(contents: string) -> image: uint8"):
    """The images of a GIF file, [frames, height, width, 3]."""

    grad = no_gradient

    def shape(contents: TensorShape) -> list[TensorShape]:
        s.with_rank(contents, 0)
        return [s.shape_of([None, None, None, 3])]

    def host(op: Any, contents: np.ndarray) -> np.ndarray:
        found, kind = files.image(op, contents, 3, ("GIF", "PNG", "JPEG"))
        return found if kind == "GIF" else found[None]


class DecodeBmp(OpDef, sig="DecodeBmp(contents: string, channels: int = 0) -> image: uint8"):
    """The image of a BMP file, [height, width, channels]."""

    grad = no_gradient

    def shape(contents: TensorShape, *, channels: int) -> list[TensorShape]:
        return [_image_shape(contents, channels)]

    def host(op: Any, contents: np.ndarray, *, channels: int) -> np.ndarray:
        return files.still(op, contents, channels, ("BMP",))


class DecodeImage(
    OpDef,
    sig="DecodeImage(contents: string, channels: int = 0, dtype: type = uint8, "
    "expand_animations: bool = True) -> image: dtype",
    dtype=_READ,
):
    """The image of a file of any kind, or the images of an animated one."""

    grad = no_gradient

    def shape(
        contents: TensorShape, *, channels: int, expand_animations: bool, **_: Any
    ) -> list[TensorShape]:
        found = _image_shape(contents, channels)
        return [TensorShape(None) if expand_animations else found]

    def host(
        op: Any, contents: np.ndarray, *, channels: int, dtype: DType, expand_animations: bool
    ) -> np.ndarray:
        if not contents[()]:
            raise files.invalid(op, "Input is empty.")
        kinds = ("JPEG", "PNG", "GIF", "BMP")
        if not bytes(contents[()]).startswith(files.BEGINNINGS):
            raise files.invalid(
                op, f"Unknown image file format. One of {', '.join(kinds)} required."
            )
        wide = dtype.short != "u8"
        found, kind = files.image(
            op, contents, channels, kinds, wide=wide, animated=expand_animations
        )
        if kind == "GIF" and not expand_animations:
            found = found[0]
        if dtype.short == "f32":
            return found.astype(np.float32) * np.float32(1 / np.iinfo(found.dtype).max)
        return found.astype(np.uint16) * np.uint16(256) if wide and kind != "PNG" else found


def decode_gif(contents: Any, name: str | None = None) -> Tensor:
    """The images of a GIF file, uint8[frames, height, width, 3].

    Each frame is drawn on the one before; what none covers is black, and no frame is disposed of.

    Raises:
      InvalidArgumentError: in the run, the string is no GIF file (nor a JPEG or PNG file, which is
      one frame).
    """
    return apply("DecodeGif", contents, name=name)


def decode_bmp(contents: Any, channels: int = 0, name: str | None = None) -> Tensor:
    """The image of a BMP file of 8, 24 or 32 bits, uint8[height, width, channels].

    channels: 3 RGB, 4 RGBA; 0: those of the file, of 8 bits the bytes as they are.

    Raises:
      InvalidArgumentError: in the run, the string is no such file.
    """
    return apply("DecodeBmp", contents, channels=channels, name=name)


def decode_image(
    contents: Any,
    channels: int | None = None,
    dtype: Any = dtypes.uint8,
    name: str | None = None,
    expand_animations: bool = True,
) -> Tensor:
    """The image of a JPEG, PNG, GIF or BMP file, [height, width, channels].

    Of a GIF file its images, [frames, height, width, 3], or with `expand_animations` False the
    first one: only then does the result have a static rank. channels: as the decoder of the kind
    takes them; 0 or None: those of the file. dtype: uint8; of another one, the numbers are scaled
    as `convert_image_dtype` scales them.

    Raises:
      InvalidArgumentError: in the run, the string is no such file, or its kind has no such number
      of channels.
    """
    with name_scope(name, "decode_image"):
        wanted = as_dtype(dtype)
        read = wanted if wanted.short in _READ else dtypes.uint16
        image = apply(
            "DecodeImage", contents, channels=channels or 0, dtype=read,
            expand_animations=expand_animations,
        )  # fmt: skip
        return image if read == wanted else convert_image_dtype(image, wanted)
