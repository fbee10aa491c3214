"""JPEG files. The files and what they decode to are of real TensorFlow."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")

# (file, shape, checksums of the image: by default, accurate, without weighing, gray, RGB; the last
# pixel)
FILES: list[tuple[str, tuple[int, int, int], list[int], list[int]]] = [
    (
        "/9j/4AAQSkZJRgABAQEBLAEsAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+"
        "MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09P"
        "T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wAARCAAJABMDASIAAhEBAxEB/8QAFwABAQEBAAAA"
        "AAAAAAAAAAAABgAFB//EAB8QAAEEAgIDAAAAAAAAAAAAAAEAAgMEBRE0cQYhM//EABcBAAMBAAAAAAAAAAAA"
        "AAAAAAECBAX/xAAaEQEAAwADAAAAAAAAAAAAAAABAAIDESEy/9oADAMBAAIRAxEAPwBTZnr4qloaBAXOsxl5"
        "b9osjJI2k/l3zcguO5w7S57WBSExrfQLTVhxMz4muIPsKS6rxo+lKVvdfU2SwdcT/9k=",
        (9, 19, 3),
        [1636865820, 2026437973, 843684121, 704501618, 1636865820],
        [229, 144, 124],
    ),
    (
        "/9j/4AAQSkZJRgABAQEBLAEsAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+"
        "MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09P"
        "T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wgARCAAJABMDASIAAhEBAxEB/8QAGAAAAwEBAAAA"
        "AAAAAAAAAAAAAAQFAgP/xAAVAQEBAAAAAAAAAAAAAAAAAAACA//aAAwDAQACEAMQAAAB7xNtluFQmv/EABsQ"
        "AAICAwEAAAAAAAAAAAAAAAECAwQQESEy/9oACAEBAAEFArM+goMrLByx6qY//8QAGBEAAgMAAAAAAAAAAAAA"
        "AAAAAAIBEhT/2gAIAQMBAT8BVYsaGP/EABcRAQEBAQAAAAAAAAAAAAAAAAEAEhP/2gAIAQIBAT8BFzcy/8QA"
        "FhAAAwAAAAAAAAAAAAAAAAAAAREg/9oACAEBAAY/AkK//8QAGRAAAgMBAAAAAAAAAAAAAAAAAAERITEQ/9oA"
        "CAEBAAE/IVzBNSnXPaFh/9oADAMBAAIAAwAAABBAP//EABcRAQEBAQAAAAAAAAAAAAAAAAEAEVH/2gAIAQMB"
        "AT8QJvkg5f/EABgRAAIDAAAAAAAAAAAAAAAAAAABETFB/9oACAECAQE/EGrE2n//xAAbEAEAAgIDAAAAAAAA"
        "AAAAAAABABEhMRBhcf/aAAgBAQABPxB91sS+rRYIblU3e8DRP//Z",
        (9, 19, 3),
        [1983637086, 1480243985, 2738737307, 347794680, 1983637086],
        [224, 212, 196],
    ),
    (
        "/9j/4AAQSkZJRgABAQEBLAEsAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQ"
        "DQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQU"
        "FBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBT/wAARCAARAAUDAREAAhEBAxEB/8QAFgAAAwAAAAAA"
        "AAAAAAAAAAAABgcI/8QAIxAAAQMCBQUAAAAAAAAAAAAAAgEDBQAHBAYIEXESIjZhsf/EABgBAAIDAAAAAAAA"
        "AAAAAAAAAAMEBQYH/8QAHxEAAQQCAgMAAAAAAAAAAAAAAQACAwQFEQYTMTI0/9oADAMBAAIRAxEAPwBQ3x1T"
        "46Yzk4WEfJWm+pO1fdBp25nx7AQrdNvZooWtzp3kc4xj0g+0ZEZIu6pzWuswFegwRv8AKgJct3yFzVaVhfDB"
        "5H5TvIfpCqdH0K//2Q==",
        (17, 5, 3),
        [2433738595, 1328205845, 2433738595, 2568766785, 2433738595],
        [148, 193, 226],
    ),
    (
        "/9j/4AAQSkZJRgABAQEBLAEsAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4n"
        "ICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/wgALCAAIAAsBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAABv/a"
        "AAgBAQAAAAE86//EABcQAQEBAQAAAAAAAAAAAAAAAAEDBAL/2gAIAQEAAQUC4HTeeQJ//8QAFRABAQAAAAAA"
        "AAAAAAAAAAAAAAH/2gAIAQEABj8CR//EABgQAAMBAQAAAAAAAAAAAAAAAAABETFB/9oACAEBAAE/Ia3VREzh"
        "/9oACAEBAAAAEP8A/8QAFxABAQEBAAAAAAAAAAAAAAAAAREAUf/aAAgBAQABPxClVMc5pxv/2Q==",
        (8, 11, 1),
        [651947558, 4244407112, 651947558, 651947558, 2571934714],
        [229],
    ),
]


def run(y: Any) -> Any:
    with tf.Session() as session:
        return session.run(y)


@pytest.mark.parametrize("case", FILES, ids=["sequential", "progressive", "full", "gray"])
def test_decode(case: Any) -> None:
    text, shape, sums, last = case
    data = base64.b64decode(text)
    decode = tf.image.decode_jpeg
    images = run(
        [
            decode(data),
            decode(data, dct_method="INTEGER_ACCURATE"),
            decode(data, fancy_upscaling=False),
            decode(data, channels=1),
            decode(data, channels=3),
        ]
    )
    assert [zlib.crc32(image.tobytes()) for image in images] == sums
    assert images[0].shape == shape and images[0][-1, -1].tolist() == last
    assert images[3].shape == (*shape[:2], 1) and images[4].shape == (*shape[:2], 3)
    assert run(tf.image.extract_jpeg_shape(data)).tolist() == list(shape)
    part = tf.image.decode_and_crop_jpeg(data, [2, 0, 4, shape[1]], channels=3)
    assert part.shape == (4, shape[1], 3)
    np.testing.assert_array_equal(run(part), images[4][2:6])


def test_names_and_shapes() -> None:
    assert tf.io.decode_jpeg is tf.image.decode_jpeg
    assert tf.io.decode_and_crop_jpeg is tf.image.decode_and_crop_jpeg
    assert tf.io.extract_jpeg_shape is tf.image.extract_jpeg_shape
    assert tf.io.encode_jpeg is tf.image.encode_jpeg
    assert tf.io.decode_png is tf.image.decode_png and tf.io.encode_png is tf.image.encode_png
    assert tf.io.is_jpeg is tf.image.is_jpeg
    text = tf.placeholder(tf.string, [])
    assert tf.image.decode_jpeg(text).shape.as_list() == [None, None, None]
    assert tf.image.decode_jpeg(text, channels=3).shape.as_list() == [None, None, 3]
    assert tf.image.extract_jpeg_shape(text, tf.int64).dtype == tf.int64
    window = tf.placeholder(tf.int32, [4])
    assert tf.image.decode_and_crop_jpeg(text, window).shape.as_list() == [None] * 3


# ---- files of blocks of one gray each, written by hand


def segment(kind: int, body: bytes) -> bytes:
    return bytes([0xFF, kind]) + (len(body) + 2).to_bytes(2, "big") + body


def plain_file(
    height: int, width: int, factors: list[int], diffs: list[list[int]], restart: int = 0,
    more: bytes = b"",
) -> bytes:  # fmt: skip
    """diffs: for each part between marks, the steps of DC, 0 to 7 or their negatives; a step is 8
    levels. Codes of DC: 2 bits for the sizes 0 to 3; of AC: one bit, no coefficient."""
    parts = []
    for part in diffs:
        bits = ""
        for step in part:
            size = abs(step).bit_length()
            number = step if step > 0 else step + (1 << size) - 1
            bits += f"{size:02b}" + (f"{number:0{size}b}" if size else "") + "0"
        bits += "1" * (-len(bits) % 8)
        data = int(bits, 2).to_bytes(len(bits) // 8, "big")
        parts.append(data.replace(b"\xff", b"\xff\x00"))
    body = parts[0] + b"".join(
        bytes([0xFF, 0xD0 + i % 8]) + part for i, part in enumerate(parts[1:])
    )
    count = len(factors)
    frame = b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + bytes([count])
    frame += b"".join(bytes([i + 1, f, 0]) for i, f in enumerate(factors))
    return b"".join(
        [
            b"\xff\xd8",
            more,
            segment(0xDB, b"\0" + bytes([64] * 64)),
            segment(0xC0, frame),
            segment(0xC4, b"\x00" + bytes([0, 3, *[0] * 14]) + bytes([0, 1, 2])),
            segment(0xC4, b"\x10" + bytes([1, *[0] * 15]) + bytes([0])),
            segment(0xDD, restart.to_bytes(2, "big")) if restart else b"",
            segment(
                0xDA,
                bytes([count, *[n for i in range(count) for n in (i + 1, 0)], 0, 63, 0]),
            ),
            body,
            b"\xff\xd9",
        ]
    )


def test_restart_marks() -> None:
    plain = run(tf.image.decode_jpeg(plain_file(8, 30, [0x11], [[1, 1, -3, 2]])))
    assert plain.shape == (8, 30, 1)
    assert plain[0, ::8, 0].tolist() == [136, 144, 120, 136]
    marked = plain_file(8, 30, [0x11], [[1, 1], [2, -3]], restart=2)
    assert run(tf.image.decode_jpeg(marked))[7, ::8, 0].tolist() == [136, 144, 144, 120]
    # libjpeg makes up for a part that ends too early, as long as the file has its end
    lost = plain_file(8, 30, [0x11], [[1], [2, -3]], restart=2)
    assert run(tf.image.decode_jpeg(lost))[0, ::8, 0].tolist() == [136, 136, 144, 120]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid JPEG data"):
        run(tf.image.decode_jpeg(marked[:-2]))
    image = run(tf.image.decode_jpeg(marked[:-2], try_recover_truncated=True))
    assert image[0, ::8, 0].tolist() == [136, 144, 144, 120]


@pytest.mark.parametrize("sampling", [0x11, 0x12, 0x21, 0x22, 0x41])
def test_samplings_of_plain_colors(sampling: int) -> None:
    across, down = sampling >> 4, sampling & 15
    blocks = [[3, *[0] * (across * down - 1), 2, -1]]
    data = plain_file(8 * down, 8 * across, [sampling, 0x11, 0x11], blocks)
    image = run(tf.image.decode_jpeg(data))
    assert image.shape == (8 * down, 8 * across, 3)
    y, blue, red = 152, 16, -8
    expected = [y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue]
    assert np.abs(image - np.array(expected)).max() <= 1


def test_other_color_spaces() -> None:
    adobe = b"Adobe" + bytes(6)
    blocks = [[1, 2, 3]]
    data = plain_file(8, 8, [0x11] * 3, blocks, more=segment(0xEE, adobe + b"\0"))
    image = run(tf.image.decode_jpeg(data))
    assert image[0, 0].tolist() == [136, 144, 152]  # no differences, but red, green and blue
    gray = run(tf.image.decode_jpeg(data, channels=1))
    assert gray[0, 0].tolist() == [round(0.299 * 136 + 0.587 * 144 + 0.114 * 152)]
    data = plain_file(8, 8, [0x11] * 4, [[1, 2, 3, -1]], more=segment(0xEE, adobe + b"\0"))
    image = run(tf.image.decode_jpeg(data))
    assert image[0, 0].tolist() == [c * 120 // 255 for c in (136, 144, 152)]
    data = plain_file(8, 8, [0x11] * 4, [[1, 2, 3, -1]])
    image = run(tf.image.decode_jpeg(data))
    assert image[0, 0].tolist() == [(255 - c) * 135 // 255 for c in (136, 144, 152)]
    with pytest.raises(tf.errors.InvalidArgumentError, match="gray"):
        run(tf.image.decode_jpeg(data, channels=1))


STEPS = [1, 2, 3, -1, -2, 2, 1, -3]


@pytest.mark.parametrize(
    ("sampling", "size", "steps", "checksum", "color"),
    [
        (0x21, (8, 32), STEPS, 2789568602, [141, 149, 195]),
        (0x12, (32, 8), STEPS, 1463499833, [100, 144, 189]),
        (0x22, (16, 32), [1, 1, 1, 1, 3, -1, 1, 2, -1, 0, -3, 2], 638690178, [149, 157, 203]),
    ],
)
def test_weighing_of_neighbours(
    sampling: int, size: tuple[int, int], steps: list[int], checksum: int, color: list[int]
) -> None:
    data = plain_file(*size, [sampling, 0x11, 0x11], [steps])
    image = run(tf.image.decode_jpeg(data))
    assert zlib.crc32(image.tobytes()) == checksum
    assert image[size[0] // 2, size[1] // 2 - 2].tolist() == color
    # without weights each block of luminance is of one color
    plain = run(tf.image.decode_jpeg(data, fancy_upscaling=False))
    for y in range(0, size[0], 8):
        for x in range(0, size[1], 8):
            assert len(np.unique(plain[y : y + 8, x : x + 8].reshape(-1, 3), axis=0)) == 1
    assert (image != plain).any()


RATIOS = [
    [((5, 10, 3), 3966214726), ((3, 5, 3), 687095059), ((2, 3, 3), 2171977056)],
    [((5, 10, 3), 119076182), ((3, 5, 3), 4088297057), ((2, 3, 3), 97613831)],
    [((9, 3, 3), 64727134), ((5, 2, 3), 2813303441), ((3, 1, 3), 2170325098)],
    [((4, 6, 1), 2755339407), ((2, 3, 1), 2354091203), ((1, 2, 1), 1265621749)],
]


def test_parts_of_the_size() -> None:
    for (text, *_), expected in zip(FILES, RATIOS, strict=True):
        data = base64.b64decode(text)
        images = run([tf.image.decode_jpeg(data, ratio=r) for r in (2, 4, 8)])
        assert [(i.shape, zlib.crc32(i.tobytes())) for i in images] == expected
        corner = run(tf.image.decode_and_crop_jpeg(data, [0, 0, 2, 1], ratio=2))
        np.testing.assert_array_equal(corner, images[0][:2, :1])


def test_what_is_no_jpeg_file() -> None:
    good = base64.b64decode(FILES[0][0])
    cut = [good[:-2], good[: len(good) // 2], good[:200], good[:40], b"", b"xx"]
    lossless = plain_file(8, 8, [0x11], [[1]]).replace(b"\xff\xc0", b"\xff\xc3")
    absurd = plain_file(65535, 65535, [0x11], [[1]])
    twelve = plain_file(8, 8, [0x11], [[1]]).replace(b"\x08\x00\x08", b"\x0c\x00\x08", 1)
    for data in (*cut, lossless, absurd, twelve):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid JPEG data"):
            run(tf.image.decode_jpeg(data))
    for bad in ({"channels": 4}, {"ratio": 3}, {"dct_method": "A"}):
        with pytest.raises(tf.errors.InvalidArgumentError, match=next(iter(bad))):
            run(tf.image.decode_jpeg(good, **bad))
    with pytest.raises(tf.errors.InvalidArgumentError, match="crop window"):
        run(tf.image.decode_and_crop_jpeg(good, [0, 0, 100, 1]))
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(tf.image.extract_jpeg_shape(b"abc"))
    with pytest.raises(ValueError, match="rank 0"):
        tf.image.decode_jpeg([good])
    with pytest.raises(ValueError, match="negative"):
        tf.image.decode_jpeg(good, channels=-1)


def test_damaged_files_end() -> None:
    """Whatever stands in a file, an image or an error comes of it."""
    rs = np.random.RandomState(0)
    for text, shape, _, _ in FILES:
        good = base64.b64decode(text)
        for _ in range(12):
            data = bytearray(good)
            for place in rs.randint(2, len(good), size=3):
                data[place] = rs.randint(256)
            try:
                image = run(tf.image.decode_jpeg(bytes(data), try_recover_truncated=True))
            except tf.errors.InvalidArgumentError:
                continue
            assert image.ndim == len(shape) and image.dtype == np.uint8


# ---- files written: what they decode to is of real TensorFlow


def drawn() -> np.ndarray:
    y, x = np.mgrid[:9, :14]
    return np.stack([x * 18, y * 28, (x * y * 3) % 256], 2).astype(np.uint8)


@pytest.mark.parametrize(
    ("options", "checksum", "density"),
    [
        ({}, 2312630765, (1, 300, 300)),
        ({"quality": 40, "chroma_downsampling": False}, 2081295850, (1, 300, 300)),
        ({"progressive": True, "xmp_metadata": "<x/>"}, 2312630765, (1, 300, 300)),
        (
            {"optimize_size": True, "density_unit": "cm", "x_density": 7, "y_density": 70000},
            2312630765,
            (2, 7, 4464),
        ),
    ],
)
def test_encode(options: dict[str, Any], checksum: int, density: tuple[int, int, int]) -> None:
    file = tf.image.encode_jpeg(drawn(), **options)
    data, image = run([file, tf.image.decode_jpeg(file)])
    assert zlib.crc32(image.tobytes()) == checksum
    assert data[:13] == b"\xff\xd8\xff\xe0\x00\x10JFIF\0\1\1"
    assert struct.unpack_from(">BHH", data, 13) == density
    assert (b"\xff\xc2" in data) == options.get("progressive", False)
    xmp = options.get("xmp_metadata", "").encode()
    assert (b"http://ns.adobe.com/xap/1.0/\0" + xmp in data) == bool(xmp)


def test_encode_gray_and_noise() -> None:
    gray = tf.image.decode_jpeg(tf.image.encode_jpeg(drawn()[:, :, :1], "grayscale", 77))
    image = run(gray)
    assert image.shape == (9, 14, 1) and zlib.crc32(image.tobytes()) == 339129772
    # more bytes than pixels
    noise = 255 * np.random.RandomState(0).randint(0, 2, (200, 200, 3)).astype(np.uint8)
    file = tf.image.encode_jpeg(noise, "rgb", 100, True, True, False)
    data, image = run([file, tf.image.decode_jpeg(file, dct_method="INTEGER_ACCURATE")])
    assert len(data) > 3 * 200 * 200
    assert np.abs(image.astype(int) - noise).max() <= 4


def test_what_is_not_encoded() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    encode = tf.image.encode_jpeg
    assert encode(image).shape.as_list() == []
    for bad, message in (
        (encode(image, quality=101), "quality"),
        (encode(image, quality=-1), "quality"),
        (encode(image, "grayscale"), "grayscale"),
        (encode(image[:, :, :1], "rgb"), "rgb"),
        (encode(image[:, :, :2]), "1 or 3"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(bad)
    for none in (image[:0], np.zeros((1, 65501, 1), np.uint8)):
        with pytest.raises(tf.errors.InternalError, match="encoding failed"):
            run(encode(none))
    with pytest.raises(tf.errors.InternalError, match="XMP"):
        run(encode(image, xmp_metadata="x" * 65505))
    with pytest.raises(ValueError, match="rank 3"):
        encode(image[0])
    with pytest.raises(ValueError, match="format"):
        encode(image, "cmyk")
    with pytest.raises(ValueError, match="density_unit"):
        encode(image, density_unit="m")
