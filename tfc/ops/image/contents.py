"""What stands in a string: the image of a file of whichever kind it begins as."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.ops.image import bmp, gif, jpeg, png

_KINDS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF8": "GIF", b"BM": "BMP"}
BEGINNINGS = tuple(_KINDS)
_CHANNELS = {"JPEG": (0, 1, 3), "PNG": (0, 1, 3, 4), "GIF": (0, 3), "BMP": (0, 3, 4)}


def invalid(op: Any, message: str) -> errors.OpError:
    """The error of an op about its contents or attributes."""
    return errors.InvalidArgumentError(None, op, message)


def decoded(op: Any, kind: str, data: bytes, read: Callable[[], np.ndarray]) -> np.ndarray:
    """What `read` makes of the bytes, with its errors as those of the op."""
    try:
        return read()
    except ValueError as error:
        window = " or crop window" if kind == "JPEG" else ""
        raise invalid(op, f"Invalid {kind} data{window}, data size {len(data)}: {error}") from None
    except jpeg.Unread as error:
        raise errors.UnimplementedError(None, op, f"JPEG file not read: {error}") from None


def image(
    op: Any,
    contents: np.ndarray,
    channels: int,
    kinds: Sequence[str],
    *,
    wide: bool = False,
    animated: bool = True,
    **options: Any,
) -> tuple[np.ndarray, str]:
    """(the image of a file, its kind): [height, width, channels], and of a GIF file all its images,
    [frames, height, width, channels].

    kinds: those that the op reads; contents that begin as none are read as the first, for the
    error. wide: PNG files in uint16. animated: all images of a GIF file, not the first alone.
    options: what `jpeg.decode` takes.
    """
    data = bytes(contents[()])
    if channels not in (0, 1, 3, 4):
        raise invalid(op, f"channels must be 0, 1, 3 or 4, got {channels}")
    kind = next((k for start, k in _KINDS.items() if data.startswith(start)), kinds[0])
    if kind not in kinds:
        raise invalid(op, f"Trying to decode {kind} format using {op.type} op, which reads {kinds}")
    if channels not in _CHANNELS[kind]:
        allowed = ", ".join(map(str, _CHANNELS[kind]))
        raise invalid(op, f"channels must be one of {allowed} for {kind}, got {channels}")
    ways = {
        "JPEG": lambda: jpeg.decode(data, channels, **options),
        "PNG": lambda: png.decode(data, channels, wide),
        "GIF": lambda: gif.decode(data, animated),
        "BMP": lambda: bmp.decode(data, channels),
    }
    return decoded(op, kind, data, ways[kind]), kind


def still(op: Any, contents: np.ndarray, channels: int, kinds: Sequence[str], **more: Any) -> Any:
    """As `image`, of a file of one image, [height, width, channels]."""
    found, kind = image(op, contents, channels, kinds, **more)
    if kind != "GIF":
        return found
    if len(found) != 1:
        raise invalid(
            op, f"Got {len(found)} frames; decode_gif and decode_image read animated GIF files"
        )
    return found[0]
