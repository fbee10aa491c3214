"""Images from JPEG files and to them. Host ops: files are strings."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.compat import as_bytes
from tfc.base.dtypes import INDEX, DType
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.ops import shape_rules as s
from tfc.ops.common import no_gradient
from tfc.ops.image import contents as files
from tfc.ops.image import jpeg
from tfc.ops.image.color_functions import convert_image_dtype
from tfc.ops.random_ops import random_uniform

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
        y, x, height, width = (int(n) for n in window)
        image = files.still(
            op, file, channels, ("JPEG",), columns=(x, width), **_options(op, attrs)
        )
        if y < 0 or height <= 0 or y + height > image.shape[0]:
            raise files.invalid(
                op,
                f"Invalid JPEG data or crop window: {height} rows from {y} on, of {len(image)}",
            )
        return np.ascontiguousarray(image[y : y + height])


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


def _encoded(op: Any, image: np.ndarray, quality: int, **attrs: Any) -> np.ndarray:
    """The file of an image, a scalar; attrs: what `jpeg.encode` takes."""
    result = np.empty((), object)
    try:
        result[()] = jpeg.encode(image, quality, **attrs)
    except ValueError as error:
        raise errors.InternalError(None, op, f"JPEG encoding failed: {error}") from None
    return result


def _check_image(op: Any, image: np.ndarray, quality: int, format: str = "") -> None:
    if not 0 <= quality <= 100:
        raise files.invalid(op, f"quality must be in [0,100], got {quality}")
    if image.ndim != 3:
        raise files.invalid(op, f"image must be 3-dimensional {s.text(image.shape)}")
    if image.shape[2] not in _FORMATS[format]:
        counts = " or ".join(map(str, _FORMATS[format]))
        raise files.invalid(
            op, f"format {format!r} expects {counts} channels, got {s.text(image.shape)}"
        )


class EncodeJpegVariableQuality(
    OpDef, sig="EncodeJpegVariableQuality(images: uint8, quality: int32) -> contents: string"
):
    """A JPEG file of an image [height, width, channels] with 1 or 3 channels; the quality is
    data."""

    grad = no_gradient

    def shape(image: TensorShape, quality: TensorShape) -> list[TensorShape]:
        s.with_rank(image, 3)
        s.with_rank(quality, 0)
        return [TensorShape([])]

    def host(op: Any, image: np.ndarray, quality: np.ndarray) -> np.ndarray:
        if quality.ndim:
            raise files.invalid(op, f"quality must be scalar: {s.text(quality.shape)}")
        _check_image(op, image, int(quality))
        return _encoded(op, image, int(quality))


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
        _check_image(op, image, attrs["quality"], attrs["format"])
        unit = 1 if attrs["density_unit"] == "in" else 2
        return _encoded(
            op,
            image,
            attrs["quality"],
            progressive=attrs["progressive"],
            optimize=attrs["optimize_size"],
            downsample=attrs["chroma_downsampling"],
            density=(unit, attrs["x_density"], attrs["y_density"]),
            xmp=as_bytes(attrs["xmp_metadata"]),
        )


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
      UnimplementedError: in the run, Pillow cannot read the file so: of four colors that are not
      of the image's size (or in a progressive file that may end too early), "INTEGER_ACCURATE"
      needs fancy_upscaling.
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

    The other arguments are those of `decode_jpeg`. Colors are weighed with neighbours above and
    below the window, but with none to the right of it, nor to the left of the block that it begins
    in: there the part differs from that of the whole image, here as in TensorFlow.

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


def adjust_jpeg_quality(
    image: Any, jpeg_quality: Any, dct_method: str = "", name: str | None = None
) -> Tensor:
    """An image as it is after it was a JPEG file of a quality from 0 to 100.

    image: [height, width, 1 or 3]; numbers as `convert_image_dtype` takes them. The result has its
    dtype, and of its shape the channels. dct_method: that of `decode_jpeg`.

    Raises:
      ValueError: the rank is not 3.
      InvalidArgumentError: in the run, there is no such quality, or not 1 or 3 channels.
    """
    with name_scope(name, "adjust_jpeg_quality", [image]):
        image = convert_to_tensor(image, name="image")
        dims = image.get_shape().dims
        channels = (dims[-1].value if dims else None) or 0
        kind = image.dtype.base_dtype
        image = convert_image_dtype(image, dtypes.uint8, saturate=True)
        quality = convert_to_tensor(jpeg_quality, dtype=dtypes.int32)
        contents = apply("EncodeJpegVariableQuality", image, quality)
        image = apply("DecodeJpeg", contents, channels=channels, dct_method=dct_method)
        return convert_image_dtype(image, kind, saturate=True)


def random_jpeg_quality(
    image: Any, min_jpeg_quality: int, max_jpeg_quality: int, seed: int | None = None
) -> Tensor:
    """`adjust_jpeg_quality` with a quality in [min_jpeg_quality, max_jpeg_quality).

    Raises:
      ValueError: not 0 <= min_jpeg_quality < max_jpeg_quality <= 100.
    """
    if not (0 <= min_jpeg_quality <= 100 and 0 <= max_jpeg_quality <= 100):
        raise ValueError("jpeg encoding range must be between 0 and 100.")
    if min_jpeg_quality >= max_jpeg_quality:
        raise ValueError("`min_jpeg_quality` must be less than `max_jpeg_quality`.")
    quality = random_uniform([], min_jpeg_quality, max_jpeg_quality, dtype=dtypes.int32, seed=seed)
    return adjust_jpeg_quality(image, quality)
