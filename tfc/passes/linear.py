"""How far apart two integers are that are computed from the same ones."""

from __future__ import annotations

from tfc.base.dtypes import INTEGERS
from tfc.ir.builder import constant_value
from tfc.ir.core import Value

DEEPEST = 64  # ops looked through: indices are short expressions

Form = tuple[dict[Value, int], int]  # the factor of each value, and what is added


def difference(a: Value, b: Value) -> int | None:
    """`a - b`, if that is the same number whatever the values are that both are made of; modulo
    2 to the number of their bits."""
    (terms, constant), (others, less) = _form(a, DEEPEST), _form(b, DEEPEST)
    for value, factor in others.items():
        terms[value] = terms.get(value, 0) - factor
    return None if any(terms.values()) else constant - less


def _form(value: Value, depth: int) -> Form:
    known = constant_value(value)
    if known is not None and known.size == 1:
        return {}, int(known.reshape(()))
    op = value.op
    name = "" if op is None or depth == 0 or value.type.dtype not in INTEGERS else op.defn.name
    if op is None or name not in ("add", "sub", "mul", "neg", "convert", "reshape"):
        return {value: 1}, 0
    first = _form(op.operands[0], depth - 1)
    if name == "reshape" and value.type.size == 1:
        return first
    if name == "convert" and op.operands[0].type.dtype in INTEGERS:
        return first
    if name == "neg":
        return _scaled(first, -1)
    if name in ("add", "sub"):
        terms, constant = dict(first[0]), first[1]
        more, plus = _scaled(_form(op.operands[1], depth - 1), 1 if name == "add" else -1)
        for term, factor in more.items():
            terms[term] = terms.get(term, 0) + factor
        return terms, constant + plus
    if name == "mul":
        second = _form(op.operands[1], depth - 1)
        if not first[0]:
            return _scaled(second, first[1])
        if not second[0]:
            return _scaled(first, second[1])
    return {value: 1}, 0


def _scaled(form: Form, factor: int) -> Form:
    return {value: n * factor for value, n in form[0].items()}, form[1] * factor
