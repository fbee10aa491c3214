"""Boxes on images: drawing them, and sampling a distorted one."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.shapes import TensorShape
from tfc.framework.opdef import OpDef
from tfc.ir.core import Value
from tfc.ops import random_values
from tfc.ops import shape_rules as s
from tfc.ops.common import no_gradient
from tfc.ops.image.values import Math, repeat
from tfc.ops.lowering import invalid, to

# yellow, blue, red, lime, purple, olive, maroon, navy, aqua, fuchsia; of gray images the first
# channel is 1
_PALETTE = np.array(
    [
        [1, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0.5, 0, 0.5, 1],
        [0.5, 0.5, 0, 1], [0.5, 0, 0, 1], [0, 0, 0.5, 1], [0, 1, 1, 1], [1, 0, 1, 1],
    ],
    np.float32,
)  # fmt: skip


_DEPTH = "Channel depth should be either 1 (GRY), 3 (RGB), or 4 (RGBA)"

# ---- drawing


def _like_images(images: TensorShape, boxes: TensorShape, *colors: TensorShape) -> list[Any]:
    dims = s.with_rank_at_least(images, 3)
    s.merge_dim(s.with_rank(boxes, 3)[2], 4)
    for table in colors:
        s.with_rank(table, 2)
    if dims is not None and len(dims) == 4 and dims[3] not in (None, 1, 3, 4):
        raise ValueError(_DEPTH)
    return [images]


def _draw(build: Any, images: Value, boxes: Value, colors: Value | None = None) -> Value:
    """Each pixel takes the color of the last box whose border goes through it."""
    dims = _check_drawing(build, images, boxes, colors)
    m, depth = Math(build), dims[3]
    count = boxes.type.shape[1]
    if not count or not images.type.size:
        return images
    grid = (dims[0], count, dims[1], dims[2])
    hit = _borders(m, boxes, grid)
    number = p.iota(build, dtype="i32", shape=grid, dim=1)
    last = p.reduce(build, m.select(hit, number, -1), dims=(1,), kind="max")
    if colors is None or not colors.type.size:
        table = _PALETTE.copy()
        if depth == 1:
            table[:, 0] = 1
        colors = p.constant(build, table[:, :depth])
    rows = colors.type.shape[0]
    row = p.reshape(build, m.rem(m.max_(last, 0), rows), shape=(*last.type.shape, 1))
    paint = p.gather(build, colors, row, dims=(0,))
    if paint.type.shape[3] != depth:
        limit = (*paint.type.shape[:3], depth)
        paint = p.slice(build, paint, start=(0,) * 4, limit=limit, stride=(1,) * 4)
    drawn = m.over(m.ge(last, 0), dims, 0, 1, 2)
    return p.select(build, drawn, to(build, paint, images.type.dtype), images)


def _check_drawing(build: Any, images: Value, boxes: Value, colors: Value | None) -> Any:
    dims = images.type.shape
    if len(dims) != 4:
        raise invalid(build, "The rank of the images should be 4")
    if boxes.type.rank != 3:
        raise invalid(build, "The rank of the boxes tensor should be 3")
    if boxes.type.shape[0] != dims[0]:
        raise invalid(build, "The batch sizes should be the same")
    if dims[3] not in (1, 3, 4):
        raise invalid(build, _DEPTH)
    if boxes.type.shape[2] != 4:
        raise invalid(
            build,
            "The size of the third dimension of the box must be 4. Received: "
            f"{boxes.type.shape[2]}",
        )
    if colors is not None and (colors.type.rank != 2 or colors.type.shape[1] < dims[3]):
        raise invalid(
            build,
            "colors must be a 2-D matrix with equal or more channels than the image provided: "
            f"{s.text(colors.type.shape)}",
        )
    return dims


def _borders(m: Math, boxes: Value, grid: tuple[int, ...]) -> Value:
    """i1[batch, boxes, height, width]: whether the border of the box goes through the pixel."""
    ends = []
    for c, axis in ((0, 2), (1, 3), (2, 2), (3, 3)):
        scaled = m.mul(m.column(boxes, c), np.float32(grid[axis] - 1))
        ends.append(m.over(m.to(scaled, "i64"), grid, 0, 1))
    places = [p.iota(m.build, dtype="i64", shape=grid, dim=axis) for axis in (2, 3)]
    inside, edge = None, None
    for place, low, high in zip(places, ends[:2], ends[2:], strict=True):
        within = m.and_(m.ge(place, low), m.le(place, high))
        on = m.or_(m.eq(place, low), m.eq(place, high))
        inside = within if inside is None else m.and_(inside, within)
        edge = on if edge is None else m.or_(edge, on)
    return m.and_(inside, edge)


class DrawBoundingBoxes(
    OpDef,
    sig="DrawBoundingBoxes(images: T, boxes: float32, T: type = float32) -> output: T",
    T=("f32", "f16"),
):
    """`images` with the borders of boxes [y1, x1, y2, x2], in fractions of the image, in ten
    colors in turn. An inverted box is not drawn."""

    shape = _like_images
    grad = no_gradient

    def lower(build: Any, images: Value, boxes: Value) -> Value:
        return _draw(build, images, boxes)


class DrawBoundingBoxesV2(
    OpDef,
    sig="DrawBoundingBoxesV2(images: T, boxes: float32, colors: float32, T: type = float32)"
    " -> output: T",
    T=("f32", "f16"),
):
    """Like DrawBoundingBoxes, in given colors, [colors, channels]."""

    shape = _like_images
    grad = no_gradient

    def lower(build: Any, images: Value, boxes: Value, colors: Value) -> Value:
        return _draw(build, images, boxes, colors)


# ---- sampling

_TRIES = 4  # words looked at for one integer; all are refused less often than once in 2**36


class SampleDistortedBoundingBoxV2(
    OpDef,
    sig="SampleDistortedBoundingBoxV2(image_size: T, bounding_boxes: float32,"
    " min_object_covered: float32, seed: int = 0, seed2: int = 0,"
    " aspect_ratio_range: list(float) = [0.75, 1.33], area_range: list(float) = [0.05, 1.0],"
    " max_attempts: int = 100, use_image_if_no_bounding_boxes: bool = False)"
    " -> begin: T, size: T, bboxes: float32",
    T=("u8", "i8", "i16", "i32", "i64"),
):
    """A random part of an image, of an area and an aspect ratio in given ranges, that covers enough
    of one of the boxes; the whole image if none of `max_attempts` does. [y, x, 0], [height, width,
    -1], and the box in fractions of the image."""

    stateful = True
    grad = no_gradient

    def shape(
        image_size: TensorShape, boxes: TensorShape, covered: TensorShape, **attrs: Any
    ) -> list[TensorShape]:
        s.merge_dim(s.with_rank(image_size, 1)[0], 3)
        s.merge_dim(s.with_rank(boxes, 3)[2], 4)
        s.with_rank(covered, 0)
        _check_ranges(attrs)
        return [TensorShape([3]), TensorShape([3]), TensorShape([1, 1, 4])]

    def lower(
        build: Any, image_size: Value, boxes: Value, covered: Value, *, seed: int, seed2: int,
        use_image_if_no_bounding_boxes: bool, **attrs: Any,
    ) -> tuple[Value, ...]:  # fmt: skip
        m = Math(build)
        _check_sampling(build, image_size, boxes, covered, use_image_if_no_bounding_boxes)
        places = [p.constant(build, d, "i32") for d in range(2)]
        sizes = [m.to(m.element(image_size, at), "i32") for at in places]
        attempts = attrs["max_attempts"]
        if attempts <= 0:
            raise invalid(build, f"Max attempts must be non-negative: {attempts}")
        key, counter = random_values.take(build, seed, seed2, attempts)
        words = p.rng_bits(build, key, counter, n=4 * attempts + 64)
        corners = _rectangles(m, boxes, sizes)
        zero = p.constant(build, 0, "i32")
        flags = [p.constant(build, False, "i1")] * 2
        start = [zero, zero, *flags, zero, zero, *sizes, *sizes, covered, words, corners]
        sampler = _Sampler(attrs)
        done = repeat(build, start, sampler.go_on, sampler.attempt)
        message = "the random numbers of this op are used up"
        build.assert_(m.not_(done[3]), (), "ResourceExhaustedError", message)
        return _sampled(m, done[4:8], sizes, image_size.type.dtype)


def _check_ranges(attrs: dict[str, Any]) -> None:
    ratios, areas = attrs["aspect_ratio_range"], attrs["area_range"]
    if len(ratios) != 2 or min(ratios) <= 0:
        raise ValueError(f"Aspect ratio range must be two positive numbers: {list(ratios)}")
    if len(areas) != 2 or min(areas) <= 0 or max(areas) > 1:
        raise ValueError(f"Area range must be two numbers in (0, 1]: {list(areas)}")


def _check_sampling(build: Any, size: Value, boxes: Value, covered: Value, whole: bool) -> None:
    if size.type.shape != (3,):
        raise invalid(build, f"image_size must contain 3 elements{s.text(size.type.shape)}")
    if boxes.type.rank != 3 or boxes.type.shape[2] != 4:
        raise invalid(
            build,
            "input boxes must be 3-dimensional [batch, num_boxes, coords]: "
            f"{s.text(boxes.type.shape)}",
        )
    if covered.type.shape != ():
        raise invalid(
            build, f"min_object_covered must be 0-D, got shape {s.text(covered.type.shape)}"
        )
    if not boxes.type.size and not whole:
        raise invalid(
            build,
            "No bounding boxes provided as input. One must enable use_image_if_no_bounding_boxes "
            "if you wish to not provide any bounding boxes.",
        )
    m = Math(build)
    message = "Min object covered must be non-negative: {0}"
    build.assert_(m.ge(covered, 0.0), (covered,), message=message)
    ok = m.and_(m.ge(boxes, 0.0), m.le(boxes, 1.0))
    message = "All bounding box coordinates must be in [0.0, 1.0]: {0}"
    build.assert_(ok, (boxes,), message=message)


def _rectangles(m: Math, boxes: Value, sizes: list[Value]) -> Value:
    """i32[boxes, 4] of pixels: y1, x1, y2, x2. Without boxes, the image."""
    if not boxes.type.size:
        zero = p.full_like(m.build, sizes[0], 0)
        return p.reshape(m.build, m.columns([zero, zero, *sizes]), shape=(1, 4))
    flat = p.reshape(m.build, boxes, shape=(boxes.type.size // 4, 4))
    wide = [m.over(m.to(n, "f32"), (flat.type.shape[0],)) for n in sizes]
    ends = [m.mul(m.column(flat, c), wide[c % 2]) for c in range(4)]
    return m.columns([m.to(v, "i32") for v in ends])


def _sampled(m: Math, rectangle: list[Value], sizes: list[Value], dtype: str) -> tuple[Value, ...]:
    """begin, size and box of a rectangle y, x, height, width."""
    y, x, height, width = rectangle
    begin = m.columns([m.to(y, dtype), m.to(x, dtype), p.constant(m.build, 0, dtype)])
    rest = p.constant(m.build, np.array(-1).astype(np.dtype(_NUMPY[dtype])))
    size = m.columns([m.to(height, dtype), m.to(width, dtype), rest])
    rows, columns = (m.to(n, "f32") for n in sizes)
    ends = (y, rows), (x, columns), (m.add(y, height), rows), (m.add(x, width), columns)
    box = m.columns([m.div(m.to(end, "f32"), whole) for end, whole in ends])
    return begin, size, p.reshape(m.build, box, shape=(1, 1, 4))


_NUMPY = {"u8": "uint8", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64"}


class _Sampler:
    """The loop of attempts. It carries: attempts made, words used, whether a rectangle was found,
    whether words ran out, the rectangle (y, x, height, width); then what stays: height and width of
    the image, the share to cover, the random words, the boxes."""

    def __init__(self, attrs: dict[str, Any]):
        self.attempts = attrs["max_attempts"]
        self.ratios = [np.float32(v) for v in attrs["aspect_ratio_range"]]
        self.areas = [np.float32(v) for v in attrs["area_range"]]

    def go_on(self, m: Math, i: Value, used: Value, found: Value, *_: Value) -> Value:
        return m.and_(m.lt(i, self.attempts), m.not_(found))

    def attempt(self, m: Math, i: Value, used: Value, found: Value, *rest: Value) -> list[Value]:
        failed, y0, x0, h0, w0, height, width, covered, words, boxes = rest
        draws = _Draws(m, words, used, failed)
        share = random_values.uniform_f32(m.build, draws.word())
        ratio = m.add(m.mul(share, self.ratios[1] - self.ratios[0]), self.ratios[0])
        size, fits = self._size(m, draws, ratio, height, width)
        y = draws.below(m.sub(height, size[0]), m.and_(fits, m.lt(size[0], height)))
        x = draws.below(m.sub(width, size[1]), m.and_(fits, m.lt(size[1], width)))
        good = m.and_(fits, _covers(m, (y, x, *size), boxes, covered))
        pairs = zip((y, x, *size), (y0, x0, h0, w0), strict=True)
        rectangle = [m.select(good, new, old) for new, old in pairs]
        return [m.add(i, 1), draws.used, good, draws.failed, *rectangle, *rest[5:]]

    def _size(
        self, m: Math, draws: _Draws, ratio: Value, height: Value, width: Value
    ) -> tuple[tuple[Value, Value], Value]:
        """(height, width) of the rectangle, and whether it is one."""
        rows, columns = m.to(height, "f32"), m.to(width, "f32")
        least, most = (m.mul(m.mul(columns, share), rows) for share in self.areas)
        low, high = (_whole(m, m.sqrt(m.div(v, ratio))) for v in (least, most))
        # the greatest height whose width fits
        wide = m.add(m.to(width, "f64"), 0.5 - float(np.float32(1e-7)))
        smaller = m.to(m.div(wide, m.to(ratio, "f64")), "i32")
        smaller = m.select(m.gt(_times(m, smaller, ratio), width), m.sub(smaller, 1), smaller)
        high = m.select(m.gt(_times(m, high, ratio), width), smaller, high)
        high = m.min_(high, height)
        low = m.min_(low, high)
        possible = m.and_(m.gt(height, 0), m.gt(width, 0))
        if self.areas[0] > self.areas[1]:
            possible = m.and_(possible, p.full_like(m.build, possible, False))
        more = draws.below(m.add(m.sub(high, low), 1), m.and_(possible, m.lt(low, high)))
        y = m.add(low, more)
        x = _times(m, y, ratio)
        for compare, limit, step in ((m.lt, least, 1), (m.gt, most, -1)):
            wrong = compare(m.to(m.mul(x, y), "f32"), limit)
            y = m.select(wrong, m.add(y, step), y)
            x = m.select(wrong, _times(m, y, ratio), x)
        area = m.to(m.mul(x, y), "f32")
        for ok in (
            m.ge(area, least), m.le(area, most), m.le(x, width), m.le(y, height), m.gt(x, 0),
            m.gt(y, 0),
        ):  # fmt: skip
            possible = m.and_(possible, ok)
        return (y, x), possible


def _whole(m: Math, x: Value) -> Value:
    """The nearest integer."""
    return m.to(m.round_(x), "i32")


def _times(m: Math, height: Value, ratio: Value) -> Value:
    return _whole(m, m.mul(m.to(height, "f32"), ratio))


def _covers(m: Math, rectangle: tuple[Value, ...], boxes: Value, covered: Value) -> Value:
    """Whether the rectangle covers the wanted share of one of the boxes."""
    y, x, height, width = rectangle
    shape = boxes.type.shape[:1]
    y1, x1, y2, x2 = (m.column(boxes, c) for c in range(4))
    area = m.to(m.mul(m.sub(x2, x1), m.sub(y2, y1)), "f32")
    sides = []
    for start, extent, low, high in ((y, height, y1, y2), (x, width, x1, x2)):
        begin, end = m.over(start, shape), m.over(m.add(start, extent), shape)
        sides.append(m.max_(m.sub(m.min_(end, high), m.max_(begin, low)), 0))
    common = m.to(m.mul(sides[0], sides[1]), "f32")
    real = m.ge(area, 1.0)
    share = m.div(common, m.select(real, area, 1.0))
    enough = m.and_(real, m.ge(share, m.over(covered, shape)))
    any_box = p.reduce(m.build, enough, dims=(0,), kind="or")
    return m.and_(any_box, m.ge(m.to(m.mul(height, width), "f32"), 1.0))


class _Draws:
    """Random words, taken one after the other. `used` of them are gone; `failed`: there were not
    enough."""

    def __init__(self, m: Math, words: Value, used: Value, failed: Value):
        self.m, self.words, self.used, self.failed = m, words, used, failed

    def word(self) -> Value:
        found = self.m.element(self.words, self.used)
        self.used = self.m.add(self.used, 1)
        return found

    def below(self, n: Value, wanted: Value) -> Value:
        """An integer in [0, n) where `wanted`, else 0 without taking a word.

        Words below 2**32 % n would make some numbers likelier and are passed over (none, if n is a
        power of 2).
        """
        m = self.m
        n = m.to(m.max_(n, 1), "u32")
        power = m.eq(m.and_(n, m.sub(n, 1)), 0)
        least = m.select(power, 0, m.add(m.rem(p.full_like(m.build, n, 2**32 - 1), n), 1))
        number, taken = p.full_like(m.build, n, 0), p.full_like(m.build, self.used, 0)
        for k in range(_TRIES):
            word = m.element(self.words, m.add(self.used, k))
            fits = m.and_(m.eq(taken, 0), m.ge(word, least))
            number = m.select(fits, m.rem(word, n), number)
            taken = m.select(fits, k + 1, taken)
        after = m.add(self.used, taken)
        short = m.or_(m.eq(taken, 0), m.gt(after, self.words.type.shape[0]))
        self.failed = m.or_(self.failed, m.and_(wanted, short))
        self.used = m.select(wanted, after, self.used)
        return m.select(wanted, m.to(number, "i32"), 0)
