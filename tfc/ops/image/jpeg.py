"""JPEG files as images and back, by Pillow."""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base.records import dataclass
from tfc.ops.image import jpeg_colors as colors
from tfc.ops.image import jpeg_header as header

MOST_PIXELS = 1 << 27
_REFUSED = (
    "its colors are not of the image's size; then dct_method 'INTEGER_ACCURATE' needs "
    "fancy_upscaling and the whole image if it has four colors, or is progressive and may end too "
    "early"
)
_LONGEST = 65500  # that libjpeg reads and writes
_END = b"\xff\xd9"
_BLOCK_LOCK = threading.Lock()


class Unread(Exception):
    """A combination of file and options that Pillow has no way to ask libjpeg for."""


def _opened(data: bytes, most: int = MOST_PIXELS) -> Any:
    """Pillow's file of at most so many pixels, not decoded. Raises ValueError: the bytes are no
    such file."""
    from PIL.JpegImagePlugin import JpegImageFile

    # Not Image.open: it tries every format, and warns about large images where we must refuse.
    try:
        file = JpegImageFile(io.BytesIO(data))
    except Exception as error:  # whatever damaged bytes make of Pillow, it is the bytes' fault
        raise ValueError(f"{error}") from None
    width, height = file.size
    if not file.tile or not width or not height:
        raise ValueError("there is no image in it")
    if width * height > most:
        raise ValueError(f"an image of {width} x {height} is not read")
    return file


def shape_of(data: bytes) -> tuple[int, int, int]:
    """(height, width, channels) of a file. Raises ValueError: it is none."""
    file = _opened(data)
    return file.height, file.width, len(file.layer)


@dataclass(frozen=True)
class _Samples:
    """Of one component. transform: how large a block of 8 by 8 becomes. step: how many pixels,
    across and down, a sample stands for then."""

    transform: int
    step: tuple[int, int]


@dataclass(frozen=True)
class _Part:
    """Columns of an image, from `first` to `end`. known: the first that libjpeg decodes."""

    known: int
    first: int
    end: int


def decode(
    data: bytes, channels: int = 0, ratio: int = 1, accurate: bool = False, fancy: bool = True,
    cut: bool = False, columns: tuple[int, int] | None = None,
) -> np.ndarray:  # fmt: skip
    """The image of a file, uint8[height, width, channels].

    channels: 1 or 3; 0: those of the file. ratio: divides both sizes. accurate: the transform.
    fancy: weigh samples of color with their neighbours. cut: also of a file that ends too early.
    columns: where a part of the image starts and how many columns it has.

    Raises:
      ValueError: it is no such file, it ends too early, or there are no such columns.
      Unread: Pillow cannot decode it so.
    """
    data = data + _END if cut else data
    file = _opened(data)
    count, info = len(file.layer), file.info
    named = bytes(layer[0] for layer in file.layer)
    transform = info.get("adobe_transform")
    plain = "jfif" not in info and (named == b"RGB" if transform is None else transform == 0)
    if count == 4 and channels == 1:
        raise ValueError("an image of ink has no gray")
    gray = count == 1 or channels == 1
    samples = _samples(file.layer, 8 // ratio)[: 1 if gray and not plain else count]
    part = _part(file, ratio, columns)
    # Pillow's draft means the fast transform and no weights; without it, the accurate one and
    # weights. The other two pairs are the same where nothing is to be weighed.
    # Of an eighth of the size libjpeg weighs none. It knows no neighbours outside of columns.
    mixed = accurate != fancy and any(s.step in colors.WEIGHED for s in samples)
    apart = fancy and columns is not None and any(s.step[0] == 2 for s in samples)
    if ratio == 8 or not (mixed or apart):
        image = _pixels(file, "L" if gray else None, ratio, not accurate)[:, part.first : part.end]
    else:
        if accurate and (count == 4 or (cut and "progressive" in info)):
            raise Unread(_REFUSED)
        if count == 4 and transform:
            file = _opened(header.untransformed(data))
        stored = "L" if gray and not plain else "YCbCr" if count == 3 and not plain else None
        image = _pixels(file, stored, ratio, not accurate)
        planes = [image[:, :, i] for i in range(image.shape[2])]
        if accurate:
            planes = _unweighed(data, file.layer, samples, planes)
        planes = _cut(planes, samples, part, fancy)
        if stored == "YCbCr":
            planes = colors.to_rgb(planes)
        elif count == 4 and transform:
            planes[:3] = [255 - plane for plane in colors.to_rgb(planes[:3])]
        image = np.stack([colors.to_gray(planes)] if gray and plain else planes, 2)
    if count == 4:
        image = colors.from_ink(image, "adobe" in info)
    return np.repeat(image, 3, 2) if channels == 3 and gray else image


def _part(file: Any, ratio: int, columns: tuple[int, int] | None) -> _Part:
    """The columns to cut out. Raises ValueError: there are none there."""
    width = -(-file.width // ratio)
    if columns is None:
        return _Part(0, 0, width)
    first, count = columns
    if first < 0 or count <= 0 or first + count > width:
        raise ValueError(f"{count} columns from {first} on, of {width}")
    unit = max(layer[1] for layer in file.layer) * 8 // ratio
    return _Part(first // unit * unit, first, first + count)


def _cut(
    planes: list[np.ndarray], samples: list[_Samples], part: _Part, fancy: bool
) -> list[np.ndarray]:
    """The columns of planes that repeat samples; `fancy`: with weights instead."""
    found = []
    for plane, s in zip(planes, samples, strict=True):
        weighs = fancy and colors.is_weighed(plane.shape[1], *s.step)
        plane = plane[:, part.known : part.end]
        plane = colors.weighed(plane, *s.step) if weighs else plane
        found.append(plane[:, part.first - part.known :])
    return found


def _samples(layers: Sequence[tuple[int, ...]], least: int) -> list[_Samples]:
    """What becomes of each component if blocks become `least` wide and high: of colors libjpeg can
    keep more, in place of enlarging them."""
    across, down = (max(layer[i] for layer in layers) for i in (1, 2))
    found = []
    for _, h, v, _ in layers:
        if not h or not v or across % h or down % v:
            raise ValueError("sampling factors must divide one another")
        size = least
        while (
            size < 8 and not across * least % (h * size * 2) and not down * least % (v * size * 2)
        ):
            size *= 2
        step = across * least // (h * size), down * least // (v * size)
        found.append(_Samples(size, step))
    return found


def _unweighed(
    data: bytes, layers: Sequence[tuple[int, ...]], samples: list[_Samples],
    planes: list[np.ndarray],
) -> list[np.ndarray]:  # fmt: skip
    """The planes of an image that weighs samples, with samples repeated instead."""
    found = []
    for i, (plane, s) in enumerate(zip(planes, samples, strict=True)):
        if s.step in colors.WEIGHED:
            (height, width), (x, y) = plane.shape, s.step
            plane = _plane(data, layers, i, s.transform).repeat(y, 0).repeat(x, 1)[:height, :width]
        found.append(plane)
    return found


def _plane(data: bytes, layers: Sequence[tuple[int, ...]], i: int, size: int) -> np.ndarray:
    """The samples of component `i` after the accurate transform to `size`.

    libjpeg weighs what it enlarges. So the file is said to have one component more, as many times
    larger than this one as a lesser ratio then divides: this one is what needs no enlarging.

    Raises:
      Unread: there is no room for such a component.
    """
    across, down = (max(layer[n] for layer in layers) for n in (1, 2))
    height, width = shape_of(data)[:2]
    for times in (2, 4):
        h, v = (times * n for n in layers[i][1:3])
        more = [*layers, (0, h, v, 0)]
        if size % times or max(h, v) > 4 or h % across or v % down:
            continue
        if any(h % layer[1] or v % layer[2] for layer in layers):
            continue
        if _samples(more, size // times)[i] != _Samples(size, (1, 1)):
            continue
        larger = height * v // down, width * h // across
        if max(larger) <= _LONGEST:
            file = _opened(header.with_a_fourth(data, *larger, h, v), 16 * MOST_PIXELS)
            return _pixels(file, None, 8 * times // size, False)[:, :, i]
    raise Unread("dct_method 'INTEGER_ACCURATE' needs fancy_upscaling for so large an image")


def _pixels(file: Any, mode: str | None, ratio: int, fast: bool) -> np.ndarray:
    """[height, width, channels] as libjpeg gives them."""
    try:
        file.draft(mode, (file.width / ratio, file.height / ratio))
        file.decoderconfig = (ratio, int(fast))
        file.load()
    except Exception as error:
        raise ValueError(f"{error}") from None
    image = np.array(file)
    if len(file.layer) == 4:
        image = 255 - image  # Pillow inverts it
    return image if image.ndim == 3 else image[:, :, None]


def encode(
    image: np.ndarray, quality: int, progressive: bool = False, optimize: bool = False,
    downsample: bool = True, density: tuple[int, int, int] = (1, 300, 300), xmp: bytes = b"",
) -> bytes:  # fmt: skip
    """A file of an image uint8[height, width, 1 or 3].

    density: what it counts (1 inches, 2 centimeters), and how many pixels across and down.

    Raises:
      ValueError: JPEG files have no such images, or no room for the metadata.
    """
    from PIL import Image, ImageFile

    height, width, channels = image.shape
    if not image.size or max(height, width) > _LONGEST:
        raise ValueError(f"an image of {width} x {height} is not written")
    options: dict[str, Any] = {"quality": quality, "progressive": progressive, "optimize": optimize}
    if channels == 3:
        options["subsampling"] = 2 if downsample else 0
    if xmp:
        options["xmp"] = xmp
    picture = Image.fromarray(np.ascontiguousarray(image[:, :, 0] if channels == 1 else image))
    out = io.BytesIO()
    # Files written at one go must fit a buffer that Pillow guesses too small for noise; its
    # documented way to ask for more is this variable.
    room = 8 * channels * (height + 16) * (width + 16) + 4 * 65536
    with _BLOCK_LOCK:
        before = ImageFile.MAXBLOCK
        ImageFile.MAXBLOCK = max(before, room) if progressive or optimize else before
        try:
            picture.save(out, "JPEG", **options)
        except OSError as error:
            raise ValueError(f"{error}") from None
        finally:
            ImageFile.MAXBLOCK = before
    unit, *counts = density
    out.seek(13)  # in the header, which always comes first; Pillow itself writes inches only
    out.write(struct.pack(">BHH", unit, *(n & 0xFFFF for n in counts)))
    return out.getvalue()
