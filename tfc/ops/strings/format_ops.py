"""Regular expressions on strings, and tensors in the text of a template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ops import shape_rules as s
from tfc.ops.common import scalar
from tfc.ops.strings import regex
from tfc.ops.strings.common import each, invalid, same, scalar_text, shown, vector


def _matcher(op: Any, pattern: bytes) -> re.Pattern[str]:
    try:
        return regex.compiled(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise invalid(op, f"Invalid pattern: {shown(pattern)}, error: {error}") from None


def _replace(
    op: Any, input: np.ndarray, pattern: bytes, rewrite: bytes, everywhere: bool
) -> np.ndarray:
    matcher, new = _matcher(op, pattern), regex.decoded(rewrite)
    try:
        regex.check_rewrite(new, matcher.groups)
    except ValueError as error:
        raise invalid(op, str(error)) from None
    return each(lambda v: regex.replaced(matcher, new, v, everywhere), input)


def _scalar(op: Any, array: np.ndarray, what: str) -> bytes:
    if array.ndim:
        raise invalid(op, f"{what} must be scalar, but received {s.text(array.shape)}")
    return scalar_text(array)


class RegexReplace(
    OpDef,
    sig="RegexReplace(input: string, pattern: string, rewrite: string, "
    "replace_global: bool = True) -> output: string",
):
    r"""Each string with matches of `pattern` replaced; \0 to \9 in `rewrite` are groups."""

    def shape(input: TensorShape, pattern: TensorShape, rewrite: TensorShape) -> list[TensorShape]:
        s.with_rank(pattern, 0)
        s.with_rank(rewrite, 0)
        return [input]

    def host(
        op: Any,
        input: np.ndarray,
        pattern: np.ndarray,
        rewrite: np.ndarray,
        *,
        replace_global: bool,
    ) -> np.ndarray:
        old, new = _scalar(op, pattern, "Pattern"), _scalar(op, rewrite, "Rewrite")
        return _replace(op, input, old, new, replace_global)


class StaticRegexReplace(
    OpDef,
    sig="StaticRegexReplace(input: string, pattern: str, rewrite: str, "
    "replace_global: bool = True) -> output: string",
):
    """As RegexReplace, for a pattern that the graph knows."""

    shape = same

    def host(
        op: Any, input: np.ndarray, *, pattern: str, rewrite: str, replace_global: bool
    ) -> np.ndarray:
        old, new = regex.encoded(pattern), regex.encoded(rewrite)
        return _replace(op, input, old, new, replace_global)


class RegexFullMatch(OpDef, sig="RegexFullMatch(input: string, pattern: string) -> output: bool"):
    """Whether `pattern` matches each string as a whole."""

    def shape(input: TensorShape, pattern: TensorShape) -> list[TensorShape]:
        s.with_rank(pattern, 0)
        return [input]

    def host(op: Any, input: np.ndarray, pattern: np.ndarray) -> np.ndarray:
        matcher = _matcher(op, _scalar(op, pattern, "Pattern"))
        return each(lambda v: bool(matcher.fullmatch(regex.decoded(v))), input, np.bool_)


class StaticRegexFullMatch(
    OpDef, sig="StaticRegexFullMatch(input: string, pattern: str) -> output: bool"
):
    """As RegexFullMatch, for a pattern that the graph knows."""

    shape = same

    def host(op: Any, input: np.ndarray, *, pattern: str) -> np.ndarray:
        matcher = _matcher(op, regex.encoded(pattern))
        return each(lambda v: bool(matcher.fullmatch(regex.decoded(v))), input, np.bool_)


class Fact(OpDef, sig="Fact() -> fact: string"):
    """A fact about factorials."""

    shape = scalar

    def host() -> np.ndarray:
        return vector([b"0! == 1"]).reshape(())


def my_fact() -> Tensor:
    """A string: what the factorial of 0 is. An example of an op, as in TensorFlow."""
    return apply("Fact")


class StringFormat(
    OpDef,
    sig="StringFormat(inputs: [T], template: str = '%s', placeholder: str = '%s', "
    "summarize: int = 3) -> output: string",
):
    """The template with each placeholder replaced by the text of the tensor that it stands for."""

    def shape(*inputs: TensorShape) -> list[TensorShape]:
        return [s.shape_of([])]

    def host(
        op: Any, *inputs: np.ndarray, template: str, placeholder: str, summarize: int
    ) -> np.ndarray:
        pieces = template.split(placeholder)
        texts = [tensor_text(np.asarray(x), summarize) for x in inputs]
        both = [p + t for p, t in zip(pieces, [*texts, ""], strict=True)]
        return vector(["".join(both).encode("utf-8", "surrogateescape")]).reshape(())


def tensor_text(array: np.ndarray, summarize: int) -> str:
    """An array in nested brackets, `summarize` elements at each end of every axis (all, if it is
    negative), inner arrays on lines of their own."""
    ends = array.size if summarize < 0 else min(summarize, array.size)
    return _text(array, ends, array.ndim, 0)


def _text(array: np.ndarray, ends: int, rank: int, depth: int) -> str:
    if depth == rank:
        return _element(array[()])
    count = array.shape[0]
    gap = " " if depth == rank - 1 else "\n" * (rank - 1 - depth) + " " * (depth + 1)
    shown_at = [*range(min(ends, count)), None, *range(max(ends, count - ends), count)]
    if count <= 2 * ends:
        shown_at.remove(None)
    parts = ["..." if i is None else _text(array[i, ...], ends, rank, depth + 1) for i in shown_at]
    if shown_at[:1] == [None]:
        parts.insert(0, "")
    return f"[{gap.join(parts)}]"


_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t", '"': r"\"", "'": r"\'", "\\": r"\\"}


def _element(value: Any) -> str:
    if isinstance(value, bytes | str):
        text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
        return '"' + "".join(_ESCAPES.get(c, c) for c in text) + '"'
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, np.complexfloating):
        return "?"
    if isinstance(value, np.floating):
        return _shortest(value)
    return str(int(value)) if np.issubdtype(type(value), np.integer) else f"{float(value):g}"


def _shortest(value: np.floating) -> str:
    """The digits that every decimal of the type keeps, more where they do not read back as it."""
    if value.dtype.itemsize < 8:
        value = np.float32(value)
    short, full = (15, 17) if value.dtype.itemsize == 8 else (6, 9)
    text = f"{float(value):.{short}g}"
    return text if type(value)(text) == value else f"{float(value):.{full}g}"


def regex_replace(
    input: Any, pattern: Any, rewrite: Any, replace_global: bool = True, name: str | None = None
) -> Tensor:
    r"""Each string with matches of the RE2 expression `pattern` replaced by `rewrite`.

    rewrite: \0 is the match and \1 to \9 are its groups. replace_global: every match, not only
    the first.

    Raises:
      InvalidArgumentError, when run: the pattern or the rewrite is none.
    """
    if isinstance(pattern, str | bytes) and isinstance(rewrite, str | bytes):
        return apply(
            "StaticRegexReplace",
            input,
            pattern=pattern,
            rewrite=rewrite,
            replace_global=replace_global,
            name=name,
        )
    return apply("RegexReplace", input, pattern, rewrite, replace_global=replace_global, name=name)


def regex_full_match(input: Any, pattern: Any, name: str | None = None) -> Tensor:
    """Whether the RE2 expression `pattern` matches each string as a whole; bool."""
    if isinstance(pattern, str | bytes):
        return apply("StaticRegexFullMatch", input, pattern=pattern, name=name)
    return apply("RegexFullMatch", input, pattern, name=name)


def string_format(
    template: str,
    inputs: Any,
    placeholder: str = "{}",
    summarize: int = 3,
    name: str | None = None,
) -> Tensor:
    """`template` with the k-th `placeholder` replaced by the text of the k-th of `inputs`.

    inputs: a tensor or a list of tensors. summarize: how many elements to show at each end of an
    axis, all if negative.

    Raises:
      ValueError: not as many placeholders as inputs.
    """
    parts: Sequence[Any] = inputs if isinstance(inputs, list | tuple) else [inputs]
    if not isinstance(template, str):
        raise TypeError(f"template must be a string, but got {template!r}")
    count = template.count(placeholder)
    if count != len(parts):
        raise ValueError(
            f"{count} placeholder(s) in template does not match {len(parts)} tensor(s) provided "
            "as input"
        )
    tensors = [convert_to_tensor(x) for x in parts]
    return apply(
        "StringFormat",
        tensors,
        template=template,
        placeholder=placeholder,
        summarize=summarize,
        name=name,
    )
