"""JPEG files as images and back, by Pillow."""

from __future__ import annotations

import io
import struct
import threading
from typing import Any

import numpy as np

from tfc.ops.image import jpeg_colors as colors

MOST_PIXELS = 1 << 27
_END = b"\xff\xd9"
_BLOCK_LOCK = threading.Lock()


class Unread(Exception):
    """A combination of file and options that Pillow has no way to ask libjpeg for."""


def _opened(data: bytes) -> Any:
    """Pillow's file, its pixels not decoded. Raises ValueError: the bytes are no such file."""
    from PIL.JpegImagePlugin import JpegImageFile

    # Not Image.open: it tries every format, and warns about large images where we must refuse.
    try:
        file = JpegImageFile(io.BytesIO(data))
    except Exception as error:  # whatever damaged bytes make of Pillow, it is the bytes' fault
        raise ValueError(f"{error}") from None
    width, height = file.size
    if not file.tile or not width or not height:
        raise ValueError("there is no image in it")
    if width * height > MOST_PIXELS:
        raise ValueError(f"an image of {width} x {height} is not read")
    return file


def shape_of(data: bytes) -> tuple[int, int, int]:
    """(height, width, channels) of a file. Raises ValueError: it is none."""
    file = _opened(data)
    return file.height, file.width, len(file.layer)


def decode(
    data: bytes, channels: int = 0, ratio: int = 1, accurate: bool = False, fancy: bool = True,
    cut: bool = False,
) -> np.ndarray:  # fmt: skip
    """The image of a file, uint8[height, width, channels].

    channels: 1 or 3; 0: those of the file. ratio: divides both sizes. accurate: the transform.
    fancy: weigh samples of color with their neighbours. cut: also of a file that ends too early.

    Raises:
      ValueError: it is no such file, or it ends too early.
      Unread: Pillow cannot decode it so.
    """
    file = _opened(data + _END if cut else data)
    count, info = len(file.layer), file.info
    named = bytes(layer[0] for layer in file.layer)
    transform = info.get("adobe_transform")
    plain = "jfif" not in info and (named == b"RGB" if transform is None else transform == 0)
    if count == 4 and channels == 1:
        raise ValueError("an image of ink has no gray")
    gray = count == 1 or channels == 1
    steps = _steps(file, ratio)[: 1 if gray and not plain else count]
    # Pillow's draft means the fast transform and no weights; without it, the accurate one and
    # weights. The other two pairs are the same where nothing is to be weighed.
    # Of an eighth of the size libjpeg weighs none.
    mixed = accurate != fancy and ratio < 8 and any(step in colors.WEIGHED for step in steps)
    if mixed and (accurate or (plain and gray) or (count == 4 and transform)):
        raise Unread(
            "its colors are not of the image's size; then dct_method 'INTEGER_ACCURATE' needs "
            "fancy_upscaling, and what is no YCbCr file needs both"
        )
    converted = mixed and count == 3 and not plain and not gray
    mode = "L" if gray else "YCbCr" if converted else None
    image = _pixels(file, mode, ratio, not accurate)
    if count == 4:
        image = 255 - image  # Pillow inverts what libjpeg gives
    if mixed:
        planes = [colors.weighed(image[:, :, i], *step) for i, step in enumerate(steps)]
        image = np.stack(colors.to_rgb(planes) if converted else planes, 2)
    if count == 4:
        image = colors.from_ink(image, "adobe" in info)
    return np.repeat(image, 3, 2) if channels == 3 and gray else image


def _steps(file: Any, ratio: int) -> list[tuple[int, int]]:
    """How many pixels, across and down, a sample of each component stands for once it is
    transformed: of colors libjpeg can keep more than `ratio` says, in place of enlarging them."""
    across, down = (max(layer[i] for layer in file.layer) for i in (1, 2))
    least, steps = 8 // ratio, []
    for _, h, v, _ in file.layer:
        if not h or not v or across % h or down % v:
            raise ValueError("sampling factors must divide one another")
        size = least
        while (
            size < 8 and not across * least % (h * size * 2) and not down * least % (v * size * 2)
        ):
            size *= 2
        x, y = across * least // (h * size), down * least // (v * size)
        steps.append((x, y))
    return steps


def _pixels(file: Any, mode: str | None, ratio: int, fast: bool) -> np.ndarray:
    """[height, width, channels] as libjpeg gives them."""
    try:
        file.draft(mode, (file.width / ratio, file.height / ratio))
        file.decoderconfig = (ratio, int(fast))
        file.load()
    except Exception as error:
        raise ValueError(f"{error}") from None
    image = np.array(file)
    return image if image.ndim == 3 else image[:, :, None]


def encode(
    image: np.ndarray, quality: int, progressive: bool, optimize: bool, downsample: bool,
    density: tuple[int, int, int], xmp: bytes,
) -> bytes:  # fmt: skip
    """A file of an image uint8[height, width, 1 or 3].

    density: what it counts (1 inches, 2 centimeters), and how many pixels across and down.

    Raises:
      ValueError: JPEG files have no such images, or no room for the metadata.
    """
    from PIL import Image, ImageFile

    height, width, channels = image.shape
    if not image.size or max(height, width) > 65500:
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
