"""The padded copy of images: borders and holes of zeros, and the pixels inside."""

from __future__ import annotations

from tfc.base import dtypes
from tfc.codegen.packets import MEMORY
from tfc.codegen.text import Text
from tfc.codegen.values import V, i64
from tfc.prims.conv_plan import Padded


class Images:
    """Copies images of one dtype as `image` says."""

    def __init__(self, t: Text, image: Padded, dtype: str):
        self.t, self.image = t, image
        self.element, self.size = MEMORY[dtype], dtypes.by_short(dtype).size

    def clear(self, to: V, count: int) -> None:
        """Zeros around (and between) the pixels of `count` padded images. Copies leave borders as
        they are; long fills past the caches take longer than the copies."""
        image = self.image
        if any(n != 1 for n in image.dilation) or not all(image.count):
            self._zero(to, count * image.elements)
            return
        with self.t.loop(0, count, carried=(to,)) as loop:
            self._border(0, loop.carried[0])
            loop.next((self._ahead(loop.carried[0], image.elements),))

    def _border(self, d: int, to: V) -> None:
        """Zeros around the pixels along axes d, d + 1, ..."""
        image = self.image
        if d == len(image.source):
            return
        first = image.low[d] + image.first[d]
        inside = self._ahead(to, first * image.strides[d])
        self._zero(to, first * image.strides[d])
        end = first + image.count[d]
        self._zero(
            self._ahead(to, end * image.strides[d]), (image.extents[d] - end) * image.strides[d]
        )
        if any(n != m for n, m in zip(image.extents[d + 1 :], image.count[d + 1 :], strict=True)):
            with self.t.loop(0, image.count[d], carried=(inside,)) as loop:
                self._border(d + 1, loop.carried[0])
                loop.next((self._ahead(loop.carried[0], image.strides[d]),))

    def _zero(self, to: V, elements: int) -> None:
        if elements:
            size = i64(elements * self.size)
            self.t.call("void", "llvm.memset.p0.i64", to, V("0", "i8"), size, V("false", "i1"))

    def copy(self, source: V, to: V, count: V | int, lines: tuple[V, V] | None = None) -> None:
        """The pixels of `count` images (at least one) that lie one after the other; of the first
        axis only those in `lines` of the padded image, if given."""
        image = self.image
        if not all(image.count):
            return
        step = image.channels
        for n in image.source:
            step *= n
        with self.t.loop(0, count, carried=(source, to)) as loop:
            at, out = loop.carried
            if lines is None:
                self._axis(0, at, out)
            else:
                self._lines(at, out, lines)
            loop.next((self._ahead(at, step), self._ahead(out, image.elements)))

    def _lines(self, source: V, to: V, lines: tuple[V, V]) -> None:
        """Those pixels of one image that are in `lines` of the padded one."""
        t, image = self.t, self.image
        low, dilation = image.low[0], image.dilation[0]
        bounds = []
        for end in lines:  # pixel i is at low + i * dilation
            ahead = t.op("add", end, i64(dilation - 1 - low))
            ahead = t.intrinsic("smax", ahead, i64(0))
            bounds.append(t.op("udiv", ahead, i64(dilation)))
        start = t.intrinsic("smax", bounds[0], i64(image.first[0]))
        stop = t.minimum(bounds[1], i64(image.first[0] + image.count[0]))
        with t.loop(start, stop) as loop:
            at = t.gep(source, t.mul(loop.index, image.source_strides[0]), self.element)
            place = t.add(t.mul(loop.index, dilation), i64(low))
            out = t.gep(to, t.mul(place, image.strides[0]), self.element)
            self._axis(1, at, out)

    def _ahead(self, ptr: V, elements: int) -> V:
        return self.t.gep(ptr, elements, self.element)

    def _axis(self, d: int, source: V, to: V) -> None:
        """The pixels inside along axes d, d + 1, ..."""
        image = self.image
        last = d == len(image.source) - 1
        if d == len(image.source):
            self._memcpy(source, to, image.channels)
            return
        step_in, step_out = image.source_strides[d], image.strides[d] * image.dilation[d]
        source = self._ahead(source, image.first[d] * step_in)
        to = self._ahead(to, image.low[d] * image.strides[d] + image.first[d] * step_out)
        if last and image.dilation[d] == 1:
            self._memcpy(source, to, image.count[d] * image.channels)
            return
        with self.t.loop(0, image.count[d], carried=(source, to)) as loop:
            at, out = loop.carried
            self._axis(d + 1, at, out)
            loop.next((self._ahead(at, step_in), self._ahead(out, step_out)))

    def _memcpy(self, source: V, to: V, elements: int) -> None:
        size = i64(elements * self.size)
        self.t.call("void", "llvm.memcpy.p0.p0.i64", to, source, size, V("false", "i1"))
