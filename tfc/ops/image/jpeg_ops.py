"""Images from JPEG files. Host ops: files are strings."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.dtypes import INDEX, DType
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ops import shape_rules as s
from tfc.ops.common import no_gradient
from tfc.ops.image import jpeg

_ATTRS = (
    "channels: int = 0, ratio: int = 1, fancy_upscaling: bool = True, "
    "try_recover_truncated: bool = False, acceptable_fraction: float = 1.0, dct_method: str = ''"
)


def _image(op: Any, contents: np.ndarray, attrs: dict[str, Any]) -> np.ndarray:
    """The image of a file, by the attributes of the op."""

    def wrong(message: str) -> errors.OpError:
        return errors.InvalidArgumentError(None, op, message)

    if attrs["channels"] not in (0, 1, 3):
        raise wrong(f"channels must be 0, 1, or 3 for JPEG, got {attrs['channels']}")
    if attrs["ratio"] not in (1, 2, 4, 8):
        raise wrong(f"ratio must be 1, 2, 4, or 8, got {attrs['ratio']}")
    if attrs["dct_method"] not in ("", "INTEGER_FAST", "INTEGER_ACCURATE"):
        raise wrong("dct_method must be one of {'', 'INTEGER_FAST', 'INTEGER_ACCURATE'}")
    if attrs["ratio"] != 1:
        raise errors.UnimplementedError(
            None, op, f"JPEG files are not read at a part of their size: ratio is {attrs['ratio']}"
        )
    try:
        return jpeg.decode(
            bytes(contents[()]), attrs["channels"], attrs["dct_method"] == "INTEGER_ACCURATE",
            attrs["fancy_upscaling"], attrs["try_recover_truncated"],
        )  # fmt: skip
    except ValueError as error:
        size = len(contents[()])
        raise wrong(f"Invalid JPEG data or crop window, data size {size}: {error}") from None


def _shape(contents: TensorShape, channels: int) -> list[int | None]:
    s.with_rank(contents, 0)
    if channels < 0:
        raise ValueError(f"channels must be non-negative, got {channels}")
    return [None, None, channels or None]


class DecodeJpeg(OpDef, sig=f"DecodeJpeg(contents: string, {_ATTRS}) -> image: uint8"):
    """The image of a JPEG file, [height, width, channels]."""

    grad = no_gradient

    def shape(contents: TensorShape, *, channels: int) -> list[TensorShape]:
        return [s.shape_of(_shape(contents, channels))]

    def host(op: Any, contents: np.ndarray, **attrs: Any) -> np.ndarray:
        return _image(op, contents, attrs)


class DecodeAndCropJpeg(
    OpDef, sig=f"DecodeAndCropJpeg(contents: string, crop_window: int32, {_ATTRS}) -> image: uint8"
):
    """A part of the image of a JPEG file."""

    grad = no_gradient

    def shape(
        contents: TensorShape, window: TensorShape, *, channels: int, op: Any
    ) -> list[TensorShape]:
        s.merge_dims(s.dims_of(window), [4])
        known = s.static_ints(op, 1)
        sizes = [None, None] if known is None else known[2:]
        return [s.shape_of([*sizes, _shape(contents, channels)[2]])]

    def host(op: Any, contents: np.ndarray, window: np.ndarray, **attrs: Any) -> np.ndarray:
        image = _image(op, contents, attrs)
        y, x, height, width = (int(n) for n in window)
        inside = min(y, x) >= 0 and min(height, width) > 0
        if not inside or y + height > image.shape[0] or x + width > image.shape[1]:
            raise errors.InvalidArgumentError(
                None, op, f"Invalid JPEG data or crop window: {window.tolist()} of an image of "
                f"{list(image.shape[:2])}",
            )  # fmt: skip
        return np.ascontiguousarray(image[y : y + height, x : x + width])


class ExtractJpegShape(
    OpDef,
    sig="ExtractJpegShape(contents: string, output_type: type = int32) -> image_shape: output_type",
    output_type=INDEX,
):
    """[height, width, channels] of the image of a JPEG file."""

    grad = no_gradient

    def shape(contents: TensorShape, **_: Any) -> list[TensorShape]:
        s.with_rank(contents, 0)
        return [TensorShape([3])]

    def host(op: Any, contents: np.ndarray, *, output_type: DType) -> np.ndarray:
        try:
            found = jpeg.shape_of(bytes(contents[()]))
        except ValueError as error:
            size = len(contents[()])
            raise errors.InvalidArgumentError(
                None, op, f"Invalid JPEG data, data size {size}: {error}"
            ) from None
        return np.array(found, output_type.as_numpy_dtype)


def decode_jpeg(
    contents: Any,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1,
    dct_method: str = "",
    name: str | None = None,
) -> Tensor:
    """The image of a JPEG file, uint8[height, width, channels].

    channels: 1 gray, 3 RGB; 0: those of the file. fancy_upscaling: weigh samples of color with
    their neighbours. try_recover_truncated: also files that end too early, what they lack being
    gray; acceptable_fraction changes nothing. dct_method: "INTEGER_FAST" (the default) or
    "INTEGER_ACCURATE".

    Raises:
      InvalidArgumentError: in the run, the string is no JPEG file, or attributes are none.
      UnimplementedError: a ratio other than 1.
    """
    return apply(
        "DecodeJpeg", contents, channels=channels, ratio=ratio, fancy_upscaling=fancy_upscaling,
        try_recover_truncated=try_recover_truncated,
        acceptable_fraction=float(acceptable_fraction), dct_method=dct_method, name=name,
    )  # fmt: skip


def decode_and_crop_jpeg(
    contents: Any,
    crop_window: Any,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1,
    dct_method: str = "",
    name: str | None = None,
) -> Tensor:
    """A part of the image of a JPEG file: crop_window is [y, x, height, width].

    The other arguments are those of `decode_jpeg`.

    Raises:
      InvalidArgumentError: in the run, the window is not within the image; and what `decode_jpeg`
      raises.
    """
    return apply(
        "DecodeAndCropJpeg", contents, crop_window, channels=channels, ratio=ratio,
        fancy_upscaling=fancy_upscaling, try_recover_truncated=try_recover_truncated,
        acceptable_fraction=float(acceptable_fraction), dct_method=dct_method, name=name,
    )  # fmt: skip


def extract_jpeg_shape(
    contents: Any, output_type: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """[height, width, channels] of the image of a JPEG file, which is not decoded.

    Raises:
      InvalidArgumentError: in the run, the string is no JPEG file.
    """
    return apply("ExtractJpegShape", contents, output_type=output_type, name=name)
