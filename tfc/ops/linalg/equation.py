"""Equations of einsum: `ab,bc->ac` as lists of labels, checked and completed."""

from __future__ import annotations

import re
from collections.abc import Sequence

ELLIPSIS = "..."
_FORM = re.compile(r"[a-zA-Z0,]*(->[a-zA-Z0]*)?$")


def completed(equation: str, count: int) -> tuple[list[str], str]:
    """(subscripts of each operand, subscripts of the result) of what the user wrote, in which the
    result may be left out: then it has the labels that stand once, in alphabetic order.

    Raises:
      ValueError: the equation is none, or not one for `count` operands.
    """
    if not isinstance(equation, str):
        raise TypeError(f"an equation is a string, but got {equation!r}")
    text = equation.replace(" ", "").replace(ELLIPSIS, "0")
    if "0" in equation or not _FORM.match(text):
        raise ValueError(f"Subscripts have incorrect format: {equation}")
    given, arrow, result = text.partition("->")
    operands = given.split(",")
    if len(operands) != count:
        raise ValueError(f'Got {count} inputs for equation "{equation}", expecting {len(operands)}')
    letters = given.replace(",", "").replace("0", "")
    if not arrow:
        result = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    for label in result:
        if label != "0" and label not in letters:
            raise ValueError(
                f"Output subscripts contain the label {label} not present in the input subscripts."
            )
    if len(set(result)) != len(result):
        raise ValueError(f"Output subscripts contain a label appearing more than once: {equation}")
    return [o.replace("0", ELLIPSIS) for o in operands], result.replace("0", ELLIPSIS)


def split(equation: str) -> tuple[list[str], str]:
    """(subscripts of each operand, subscripts of the result) of a complete equation.

    Raises:
      ValueError: there is no result, or a subscript has several ellipses.
    """
    given, arrow, result = equation.partition("->")
    if not arrow:
        raise ValueError(f"Expecting exactly one '->' in einsum equation: {equation}")
    operands = given.split(",")
    for name, subscripts in [*(("input", o) for o in operands), ("output", result)]:
        periods = subscripts.count(".")
        if periods not in (0, 3) or (periods and ELLIPSIS not in subscripts):
            raise ValueError(
                f"Expected at most one ellipsis (...), but found {periods} periods (.) in the "
                f"{name} subscript: {subscripts}"
            )
    return operands, result


def labels(subscripts: str, broadcast: int) -> list[str]:
    """One label for each axis; the ellipsis stands for `broadcast` axes, labelled by how far they
    are from its end: "-1" is its last."""
    before, dots, after = subscripts.partition(ELLIPSIS)
    middle = [str(k) for k in range(-broadcast, 0)] if dots else []
    return [*before, *middle, *after]


def is_broadcast(label: str) -> bool:
    """Whether the label stands for an axis of an ellipsis."""
    return label.startswith("-")


def path(operands: Sequence[str], result: str, sizes: dict[str, int]) -> list[tuple[int, int, str]]:
    """In which order to contract more than two operands: (two positions, subscripts of their
    product, which is put at the end). The pair whose product shrinks the most comes first."""

    def size(subscripts: str) -> int:
        product = 1
        for label in set(tokens(subscripts)):
            product *= sizes.get(label, 1)
        return product

    left, steps = list(operands), []
    while len(left) > 2:
        pairs = [(i, j) for i in range(len(left)) for j in range(i + 1, len(left))]
        products = {pair: _product(left, pair, result) for pair in pairs}
        shared = [p for p in pairs if set(tokens(left[p[0]])) & set(tokens(left[p[1]]))]
        i, j = min(
            shared or pairs, key=lambda p: size(products[p]) - size(left[p[0]]) - size(left[p[1]])
        )
        steps.append((i, j, products[i, j]))
        left = [o for k, o in enumerate(left) if k not in (i, j)] + [products[i, j]]
    return steps


def tokens(subscripts: str) -> list[str]:
    """The labels, the ellipsis as one of them."""
    return re.findall(r"\.\.\.|.", subscripts)


def _product(operands: Sequence[str], pair: tuple[int, int], result: str) -> str:
    """The labels of two operands that the others or the result still need."""
    others = [o for k, o in enumerate(operands) if k not in pair]
    needed = {label for o in (*others, result) for label in tokens(o)}
    both = dict.fromkeys(tokens(operands[pair[0]]) + tokens(operands[pair[1]]))
    return "".join(label for label in both if label in needed)
