"""Regular expressions in RE2's syntax, which TensorFlow takes, run by Python's `re`.

Both find the leftmost match and prefer earlier alternatives. What only one of them knows is
translated (`\\z`, `\\Q..\\E`, classes such as `[[:alpha:]]`, the meaning of `$`) or refused (look
around, back references). Text is matched by characters of UTF-8; a byte that is none is one.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata

_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7F", "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F", "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~",
    "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ", "upper": "A-Z", "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_LOOK = re.compile(r"\((\?<?[=!]|\?[#>(]|\?P[=>])")


def decoded(text: bytes) -> str:
    """The characters of `text`; bytes that are no UTF-8 as lone surrogates."""
    return text.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@functools.lru_cache(maxsize=256)
def compiled(pattern: bytes) -> re.Pattern[str]:
    """The matcher of `pattern`.

    Raises:
      re.error: it is no RE2 expression, or one that is not supported.
    """
    return re.compile(_translated(decoded(pattern)), re.ASCII)


def _translated(text: str) -> str:
    out, at = [], 0
    while at < len(text):
        c = text[at]
        if c == "\\":
            piece, at = _escape(text, at)
        elif c == "[":
            piece, at = _class(text, at)
        elif c == "(" and (look := _LOOK.match(text, at)):
            raise re.error(f"invalid perl operator: {look.group()}")
        else:
            piece, at = r"\Z" if c == "$" and "(?m" not in text else c, at + 1
        out.append(piece)
    return "".join(out)


_CATEGORIES = "C[cfos]?|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?"


@functools.lru_cache(maxsize=64)
def _category(name: str) -> str:
    """The characters of a general category of Unicode, or of all those with its letter, as the
    inside of a class of `re`; `^` in front asks for all others.

    Raises:
      re.error: there is no such category.
    """
    wanted, others = name.removeprefix("^"), name.startswith("^")
    if not re.fullmatch(_CATEGORIES, wanted):
        raise re.error(f"invalid character class range: \\p{{{name}}}")
    places: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)).startswith(wanted) != others:
            if places and places[-1][1] == code - 1:
                places[-1][1] = code
            else:
                places.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in places)


def _property(text: str, at: int) -> tuple[str, int]:
    """The inside of a class for `\\pN`, `\\p{Name}` or their negation, and where it ends."""
    end = at + 3
    name = text[at + 2 : end]
    if name == "{":
        end = text.find("}", at) + 1
        name = text[at + 3 : end - 1]
    if not name or not end:
        raise re.error(f"invalid character class range: {text[at:]}")
    if text[at + 1] == "P":
        name = name[1:] if name.startswith("^") else f"^{name}"
    return _category(name), end


def _escape(text: str, at: int, inside: bool = False) -> tuple[str, int]:
    c = text[at + 1 : at + 2]
    if c and c in "pP":
        piece, at = _property(text, at)
        return (piece if inside else f"[{piece}]"), at
    if c == "Q":
        end = text.find(r"\E", at)
        stop = len(text) if end < 0 else end
        return re.escape(text[at + 2 : stop]), stop + 2
    if c == "z":
        return r"\Z", at + 2
    if not c or c in "123456789Z" or (c.isalpha() and c not in "aAbBdDfnrsStvwWx"):
        raise re.error(f"invalid escape sequence: \\{c}")
    if text.startswith("x{", at + 1) and (end := text.find("}", at)) > 0:
        digits = text[at + 3 : end]
        if not re.fullmatch("[0-9A-Fa-f]{1,6}", digits) or int(digits, 16) > 0x10FFFF:
            raise re.error(f"invalid escape sequence: {text[at : end + 1]}")
        return re.escape(chr(int(digits, 16))), end + 1
    return text[at : at + 2], at + 2


def _class(text: str, at: int) -> tuple[str, int]:
    out, start = ["["], at
    at += 1
    if text.startswith("^", at):
        out.append("^")
        at += 1
    first = True
    while at < len(text) and (text[at] != "]" or first):
        named = re.compile(r"\[:(\^?)(\w+):\]").match(text, at)
        if named:
            if named.group(2) not in _POSIX or named.group(1):
                raise re.error(f"invalid character class range: {named.group()}")
            out.append(_POSIX[named.group(2)])
            at = named.end()
        elif text[at] == "\\":
            piece, at = _escape(text, at, inside=True)
            out.append(piece)
        else:
            out.append("\\" + text[at] if text[at] in "[]&~|" else text[at])
            at += 1
        first = False
    if at >= len(text):
        raise re.error(f"missing ]: {text[start:]}")
    return "".join(out) + "]", at + 1


def replaced(matcher: re.Pattern[str], rewrite: str, text: bytes, everywhere: bool) -> bytes:
    """`text` with its first or every match replaced by `rewrite`, in which a backslash and a digit
    is a group. An empty match directly behind another match does not count."""
    whole, out, end = decoded(text), [], 0
    last = -1
    for match in matcher.finditer(whole):
        if match.end() == match.start() == last:
            continue
        last = match.end()
        out += [whole[end : match.start()], _rewritten(rewrite, match)]
        end = last
        if not everywhere:
            break
    return encoded("".join(out) + whole[end:])


def check_rewrite(rewrite: str, groups: int) -> None:
    """ValueError unless every backslash in `rewrite` is before another or the number of a group."""
    for escape in re.findall(r"\\(.?)", rewrite, re.DOTALL):
        if escape != "\\" and not (escape.isdigit() and int(escape) <= groups):
            raise ValueError(f"invalid rewrite pattern: {rewrite}")


def _rewritten(rewrite: str, match: re.Match[str]) -> str:
    def value(escape: re.Match[str]) -> str:
        c = escape.group(1)
        return "\\" if c == "\\" else match.group(int(c)) or ""

    return re.sub(r"\\(.)", value, rewrite)
