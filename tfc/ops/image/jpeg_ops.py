"""Images from JPEG files and to them. Host ops: files are strings."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.compat import as_bytes
from tfc.base.dtypes import INDEX, DType
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ops import shape_rules as s
from tfc.ops.common import no_gradient
from tfc.ops.image import contents as files
from tfc.ops.image import jpeg

_ATTRS = (
    "channels: int = 0, ratio: int = 1, fancy_upscaling: bool = True, "
    "try_recover_truncated: bool = False, acceptable_fraction: float = 1.0, dct_method: str = ''"
)
_FORMATS = {"": (1, 3), "grayscale": (1,), "rgb": (3,)}


def _options(op: Any, attrs: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a decoding op as `jpeg.decode` takes them."""
    if attrs["ratio"] not in (1, 2, 4, 8):
        raise files.invalid(op, f"ratio must be 1, 2, 4, or 8, got {attrs['ratio']}")
    if attrs["dct_method"] not in ("", "INTEGER_FAST", "INTEGER_ACCURATE"):
        raise files.invalid(
            op, "dct_method must be one of {'', 'INTEGER_FAST', 'INTEGER_ACCURATE'}"
        )
    return {
        "ratio": attrs["ratio"],
        "accurate": attrs["dct_method"] == "INTEGER_ACCURATE",
        "fancy": attrs["fancy_upscaling"],
        "cut": attrs["try_recover_truncated"],
    }


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

    def host(op: Any, file: np.ndarray, *, channels: int, **attrs: Any) -> np.ndarray:
        kinds = ("JPEG", "PNG", "GIF")
        return files.still(op, file, channels, kinds, **_options(op, attrs))


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

    def host(
        op: Any, file: np.ndarray, window: np.ndarray, *, channels: int, **attrs: Any
    ) -> np.ndarray:
        image = files.still(op, file, channels, ("JPEG",), **_options(op, attrs))
        y, x, height, width = (int(n) for n in window)
        inside = min(y, x) >= 0 and min(height, width) > 0
        if not inside or y + height > image.shape[0] or x + width > image.shape[1]:
            size = list(image.shape[:2])
            raise files.invalid(
                op, f"Invalid JPEG data or crop window: {window.tolist()} of an image of {size}"
            )
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

    def host(op: Any, file: np.ndarray, *, output_type: DType) -> np.ndarray:
        data = bytes(file[()])
        kind = output_type.as_numpy_dtype
        return files.decoded(op, "JPEG", data, lambda: np.array(jpeg.shape_of(data), kind))


class EncodeJpeg(
    OpDef,
    sig="EncodeJpeg(image: uint8, format: str = '', quality: int = 95, progressive: bool = False, "
    "optimize_size: bool = False, chroma_downsampling: bool = True, density_unit: str = 'in', "
    "x_density: int = 300, y_density: int = 300, xmp_metadata: str = '') -> contents: string",
):
    """A JPEG file of an image [height, width, channels] with 1 or 3 channels."""

    grad = no_gradient

    def shape(image: TensorShape, *, format: str, density_unit: str, **_: Any) -> list[TensorShape]:
        s.with_rank(image, 3)
        if format not in _FORMATS:
            raise ValueError(f"format must be one of {list(_FORMATS)}, got {format!r}")
        if density_unit not in ("in", "cm"):
            raise ValueError(f"density_unit must be 'in' or 'cm', got {density_unit!r}")
        return [TensorShape([])]

    def host(op: Any, image: np.ndarray, **attrs: Any) -> np.ndarray:
        quality, allowed = attrs["quality"], _FORMATS[attrs["format"]]
        if not 0 <= quality <= 100:
            raise files.invalid(op, f"quality must be in [0,100], got {quality}")
        if image.ndim != 3:
            raise files.invalid(op, f"image must be 3-dimensional {s.text(image.shape)}")
        if image.shape[2] not in allowed:
            raise files.invalid(
                op, f"format {attrs['format']!r} expects {' or '.join(map(str, allowed))} "
                f"channels, got {s.text(image.shape)}",
            )  # fmt: skip
        result = np.empty((), object)
        unit = 1 if attrs["density_unit"] == "in" else 2
        try:
            result[()] = jpeg.encode(
                image, quality, attrs["progressive"], attrs["optimize_size"],
                attrs["chroma_downsampling"], (unit, attrs["x_density"], attrs["y_density"]),
                as_bytes(attrs["xmp_metadata"]),
            )  # fmt: skip
        except ValueError as error:
            raise errors.InternalError(None, op, f"JPEG encoding failed: {error}") from None
        return result


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

    channels: 1 gray, 3 RGB; 0: those of the file. ratio: 1, 2, 4 or 8, divides both sizes, rounded
    up. fancy_upscaling: weigh samples of color with
    their neighbours. try_recover_truncated: also files that end too early, what they lack being
    gray; acceptable_fraction changes nothing. dct_method: "INTEGER_FAST" (the default) or
    "INTEGER_ACCURATE".

    Raises:
      InvalidArgumentError: in the run, the string is no JPEG file (nor a PNG file or a GIF file of
      one frame), or attributes are none.
      UnimplementedError: in the run, Pillow cannot read the file so. If its colors are not of the
      image's size, "INTEGER_ACCURATE" needs fancy_upscaling; and where they are stored as YCCK, or
      gray is asked of RGB, fancy_upscaling needs "INTEGER_ACCURATE".
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

    The other arguments are those of `decode_jpeg`. The part is that of the whole image, also where
    colors are weighed with neighbours outside the window.

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


def encode_jpeg(
    image: Any,
    format: str = "",
    quality: int = 95,
    progressive: bool = False,
    optimize_size: bool = False,
    chroma_downsampling: bool = True,
    density_unit: str = "in",
    x_density: int = 300,
    y_density: int = 300,
    xmp_metadata: str = "",
    name: str | None = None,
) -> Tensor:
    """A JPEG file of an image uint8[height, width, channels] with 1 channel, gray, or 3, RGB.

    format: "grayscale" or "rgb" insist on one of them. quality: from 0 to 100. progressive: a
    coarse image comes first. optimize_size: codes made for this image. chroma_downsampling: colors
    at half the size. x_density and y_density: pixels for each density_unit, "in" or "cm".
    xmp_metadata: text that the file carries.

    Raises:
      ValueError: there is no such format or density_unit.
      InvalidArgumentError: in the run, the quality or the number of channels is none of these.
      InternalError: in the run, the image is empty or too large, or the metadata too long.
    """
    return apply(
        "EncodeJpeg", image, format=format, quality=quality, progressive=progressive,
        optimize_size=optimize_size, chroma_downsampling=chroma_downsampling,
        density_unit=density_unit, x_density=x_density, y_density=y_density,
        xmp_metadata=xmp_metadata, name=name,
    )  # fmt: skip
