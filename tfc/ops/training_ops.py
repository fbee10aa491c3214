"""The update rules of optimizers as ops: ApplyGradientDescent to ApplyFtrl.

Each reads and writes the variable and its slots; fused, one update is one pass over them. The
formulas are those of TensorFlow's kernels, in the order in which they round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc import prims as p
from tfc.base.dtypes import FLOATS, INDEX, INEXACT
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.opdef import OpDef
from tfc.ir.core import Value
from tfc.ops import shape_rules
from tfc.ops.common import no_gradient
from tfc.ops.lowering import invalid, to
from tfc.ops.scatter_ops import checked_rows

Rule = Callable[..., "tuple[Value, ...]"]


class Math:
    """Arithmetic on values of one shape; scalars and numbers are spread over it."""

    def __init__(self, build: Any, like: Value):
        self.build, self.like = build, like

    def spread(self, x: Any) -> Value:
        """`x`, a Value or a number, in the common shape."""
        if isinstance(x, Value):
            return p.broadcast_to(self.build, x, self.like.type.shape)
        return p.full_like(self.build, self.like, x)

    def _binary(self, prim: Any, x: Any, y: Any) -> Value:
        return prim(self.build, self.spread(x), self.spread(y))

    def add(self, x: Any, y: Any) -> Value:
        return self._binary(p.add, x, y)

    def sub(self, x: Any, y: Any) -> Value:
        return self._binary(p.sub, x, y)

    def mul(self, x: Any, y: Any) -> Value:
        return self._binary(p.mul, x, y)

    def div(self, x: Any, y: Any) -> Value:
        return self._binary(p.div, x, y)

    def max(self, x: Any, y: Any) -> Value:
        return self._binary(p.max, x, y)

    def pow(self, x: Any, y: Any) -> Value:
        return self._binary(p.pow, x, y)

    def square(self, x: Value) -> Value:
        return p.mul(self.build, x, x)

    def sqrt(self, x: Any) -> Value:
        return p.sqrt(self.build, self.spread(x))

    def rsqrt(self, x: Any) -> Value:
        return p.rsqrt(self.build, self.spread(x))

    def abs(self, x: Any) -> Value:
        return p.abs(self.build, self.spread(x))

    def sign(self, x: Any) -> Value:
        return p.sign(self.build, self.spread(x))

    def neg(self, x: Any) -> Value:
        return p.neg(self.build, self.spread(x))

    def choose(self, positive: Any, yes: Any, no: Any) -> Value:
        """`yes` where `positive` > 0, else `no`."""
        positive = self.spread(positive)
        test = p.gt(self.build, positive, p.full_like(self.build, positive, 0))
        return p.select(self.build, test, self.spread(yes), self.spread(no))

    def decay(self, old: Value, new: Value, rate: Any) -> Value:
        """old + (new - old) (1 - rate): a running mean of `new`."""
        return self.add(old, self.mul(self.sub(new, old), self.sub(1, rate)))


# ---- rules: (math, slots..., gradient, hyper-parameters...) -> new slots, the variable first


def _descent(m: Math, var: Value, alpha: Value, delta: Value) -> tuple[Value, ...]:
    return (m.sub(var, m.mul(delta, alpha)),)


def _momentum(
    m: Math, var: Value, accum: Value, lr: Value, grad: Value, momentum: Value,
    *, use_nesterov: bool, **_: Any,
) -> tuple[Value, ...]:  # fmt: skip
    accum = m.add(m.mul(accum, momentum), grad)
    if use_nesterov:
        step = m.add(m.mul(grad, lr), m.mul(m.mul(accum, momentum), lr))
        return m.sub(var, step), accum
    return m.sub(var, m.mul(accum, lr)), accum


def _adagrad(
    m: Math, var: Value, accum: Value, lr: Value, grad: Value,
    *, update_slots: bool = True, **_: Any,
) -> tuple[Value, ...]:  # fmt: skip
    if update_slots:
        accum = m.add(accum, m.square(grad))
    return m.sub(var, m.mul(m.mul(grad, lr), m.rsqrt(accum))), accum


def _adadelta(
    m: Math, var: Value, accum: Value, accum_update: Value, lr: Value, rho: Value, epsilon: Value,
    grad: Value, **_: Any,
) -> tuple[Value, ...]:  # fmt: skip
    rest = m.sub(1, rho)
    accum = m.add(m.mul(accum, rho), m.mul(m.square(grad), rest))
    scale = m.mul(m.sqrt(m.add(accum_update, epsilon)), m.rsqrt(m.add(accum, epsilon)))
    update = m.mul(scale, grad)
    accum_update = m.add(m.mul(accum_update, rho), m.mul(m.square(update), rest))
    return m.sub(var, m.mul(update, lr)), accum, accum_update


def _adam(
    math: Math, var: Value, m: Value, v: Value, beta1_power: Value, beta2_power: Value, lr: Value,
    beta1: Value, beta2: Value, epsilon: Value, grad: Value, *, use_nesterov: bool, **_: Any,
) -> tuple[Value, ...]:  # fmt: skip
    one = Math(math.build, lr)  # the corrected rate is one number
    rate = one.div(one.mul(lr, one.sqrt(one.sub(1, beta2_power))), one.sub(1, beta1_power))
    m = math.decay(m, grad, beta1)
    v = math.decay(v, math.square(grad), beta2)
    below = math.add(math.sqrt(v), epsilon)
    if use_nesterov:
        ahead = math.add(math.mul(m, beta1), math.mul(grad, math.sub(1, beta1)))
        return math.sub(var, math.div(math.mul(ahead, rate), below)), m, v
    return math.sub(var, math.div(math.mul(m, rate), below)), m, v


def _rms_prop(
    m: Math, var: Value, ms: Value, mom: Value, lr: Value, rho: Value, momentum: Value,
    epsilon: Value, grad: Value, **_: Any,
) -> tuple[Value, ...]:  # fmt: skip
    ms = m.decay(ms, m.square(grad), rho)
    step = m.mul(m.mul(grad, lr), m.rsqrt(m.add(ms, epsilon)))
    mom = m.add(m.mul(mom, momentum), step)
    return m.sub(var, mom), ms, mom


def _centered_rms_prop(
    m: Math, var: Value, mg: Value, ms: Value, mom: Value, lr: Value, rho: Value, momentum: Value,
    epsilon: Value, grad: Value, **_: Any,
) -> tuple[Value, ...]:  # fmt: skip
    ms = m.decay(ms, m.square(grad), rho)
    mg = m.decay(mg, grad, rho)
    variance = m.add(m.sub(ms, m.square(mg)), epsilon)
    mom = m.add(m.mul(mom, momentum), m.mul(m.mul(grad, lr), m.rsqrt(variance)))
    return m.sub(var, mom), mg, ms, mom


def _ftrl(
    m: Math, var: Value, accum: Value, linear: Value, grad: Value, lr: Value, l1: Value, l2: Value,
    lr_power: Value, **_: Any,
) -> tuple[Value, ...]:  # fmt: skip
    return _ftrl_step(m, var, accum, linear, grad, grad, lr, l1, l2, lr_power)


def _ftrl_v2(
    m: Math, var: Value, accum: Value, linear: Value, grad: Value, lr: Value, l1: Value, l2: Value,
    l2_shrinkage: Value, lr_power: Value, **_: Any,
) -> tuple[Value, ...]:  # fmt: skip
    shrunk = m.add(grad, m.mul(m.mul(2, l2_shrinkage), var))
    return _ftrl_step(m, var, accum, linear, grad, shrunk, lr, l1, l2, lr_power)


def _ftrl_step(
    m: Math, var: Value, accum: Value, linear: Value, grad: Value, shrunk: Value, lr: Value,
    l1: Value, l2: Value, lr_power: Value,
) -> tuple[Value, ...]:  # fmt: skip
    power = m.neg(lr_power)
    usual = m.build.is_static(lr_power) and float(m.build.static(lr_power).ravel()[0]) == -0.5

    def grow(x: Value) -> Value:
        return m.sqrt(x) if usual else m.pow(x, power)

    total = m.add(accum, m.square(grad))
    grown = grow(total)
    sigma = m.div(m.sub(grown, grow(accum)), lr)
    linear = m.add(linear, m.sub(shrunk, m.mul(sigma, var)))
    above = m.sub(m.mul(m.sign(linear), l1), linear)
    below = m.add(m.div(grown, lr), m.mul(2, l2))
    return m.choose(m.sub(m.abs(linear), l1), m.div(above, below), 0), total, linear


def _proximal(m: Math, moved: Value, rate: Value, l1: Value, l2: Value) -> Value:
    """`moved` pulled to zero by l1 and scaled down by l2."""
    below = m.add(1, m.mul(rate, l2))
    reach = m.max(m.sub(m.abs(moved), m.mul(rate, l1)), 0)
    return m.choose(l1, m.div(m.mul(m.sign(moved), reach), below), m.div(moved, below))


def _proximal_descent(
    m: Math, var: Value, alpha: Value, l1: Value, l2: Value, delta: Value, **_: Any
) -> tuple[Value, ...]:
    return (_proximal(m, m.sub(var, m.mul(delta, alpha)), alpha, l1, l2),)


def _proximal_adagrad(
    m: Math, var: Value, accum: Value, lr: Value, l1: Value, l2: Value, grad: Value, **_: Any
) -> tuple[Value, ...]:
    accum = m.add(accum, m.square(grad))
    rate = m.mul(lr, m.rsqrt(accum))
    return _proximal(m, m.sub(var, m.mul(grad, rate)), rate, l1, l2), accum


def _adagrad_da(
    m: Math, var: Value, accum: Value, squared: Value, grad: Value, lr: Value, l1: Value,
    l2: Value, global_step: Value, **_: Any,
) -> tuple[Value, ...]:  # fmt: skip
    step = to(m.build, global_step, var.type.dtype)
    accum, squared = m.add(accum, grad), m.add(squared, m.square(grad))
    reach = m.max(m.sub(m.abs(accum), m.mul(l1, step)), 0)
    pulled = m.choose(l1, m.mul(m.sign(accum), reach), accum)
    below = m.add(m.mul(l2, m.mul(step, lr)), m.sqrt(squared))
    return m.div(m.mul(m.neg(lr), pulled), below), accum, squared


# ---- the ops


def _update_shape(count: int, at: int, sparse: bool) -> Callable[..., list[TensorShape]]:
    """The shape rule of an update of `count` slots whose gradient is operand number `at`.

    The slots have one shape; so has the gradient, unless it is of some rows only, whose numbers
    stand after it. All else are scalars.
    """

    def shape(*shapes: TensorShape, op: Any) -> list[TensorShape]:
        s = shape_rules
        merged = s.dims_of(shapes[0])
        for slot in shapes[1:count]:
            merged = s.merge_dims(merged, s.dims_of(slot))
        grad = s.dims_of(shapes[at])
        if sparse:
            (rows,) = s.with_rank(shapes[at + 1], 1)
            if grad is not None and merged is not None:
                s.merge_dims([rows, *merged[1:]], grad)
        else:
            merged = s.merge_dims(merged, grad)
        for i, other in enumerate(shapes[count:], count):
            if i != at and not (sparse and i == at + 1):
                s.with_rank(other, 0)
        return [s.shape_of(merged)]

    return shape


_DENSE_ONLY = ("ApplyGradientDescent", "ApplyAdam")  # TensorFlow updates rows with scatters here


def _define(name: str, slots: str, others: str, gradient: str, rule: Rule, flags: str = "") -> None:
    """`Name` and, where TensorFlow has it, `SparseName`, whose gradient is of the rows `indices`.

    slots, others: names of references and of the other operands in order; `gradient` is one of
    the others. flags: attributes besides use_locking.
    """
    refs = slots.split()
    operands = others.split()
    written = [f"{slot}: Ref(T)" for slot in refs]
    written += [f"{o}: {'int64' if o == 'global_step' else 'T'}" for o in operands]
    attrs = "use_locking: bool = False" + flags
    for sparse in (False, True) if name not in _DENSE_ONLY else (False,):
        inputs = list(written)
        if sparse:
            at = len(refs) + operands.index(gradient) + 1
            inputs.insert(at, "indices: Tindices")
        full = f"{'Sparse' if sparse else ''}{name}"
        text_of = f"{full}({', '.join(inputs)}, {attrs}) -> out: Ref(T)"
        _define_one(full, text_of, refs, operands, gradient, rule, sparse)


def _define_one(
    name: str, signature: str, refs: list[str], operands: list[str], gradient: str, rule: Rule,
    sparse: bool,
) -> None:  # fmt: skip
    at = len(refs) + operands.index(gradient)
    types_of: dict[str, tuple[str, ...]] = {"T": INEXACT if "GradientDescent" in name else FLOATS}
    if sparse:
        types_of["Tindices"] = INDEX

    class Update(OpDef, sig=signature, **types_of):
        shape = _update_shape(len(refs), at, sparse)
        grad = no_gradient

        def lower(build: Any, *values: Any, use_locking: bool, **attrs: Any) -> Any:
            attrs = {k: v for k, v in attrs.items() if k in ("use_nesterov", "update_slots")}
            update = _lower_sparse if sparse else _lower_dense
            return update(build, len(refs), at, rule, list(values), attrs)

    Update.__name__ = name
    Update.__doc__ = f"One step of {name} on a variable" + (
        "'s rows `indices`, each named once." if sparse else "."
    )


def _lower_dense(
    build: Any, count: int, at: int, rule: Rule, values: list[Any], attrs: dict[str, Any]
) -> Any:
    contents = [build.read(ref) for ref in values[:count]]
    grad = values[at]
    for content in contents:
        if content.type.shape != grad.type.shape:
            raise invalid(
                build,
                "var and grad do not have the same shape"
                f"{shape_text(content.type.shape)} {shape_text(grad.type.shape)}",
            )
    math = Math(build, contents[0])
    new = rule(math, *contents, *_scalars(build, values[count:], grad), **attrs)
    for ref, content in zip(values[:count], new, strict=True):
        build.write(ref, content)
    return values[0]


def _lower_sparse(
    build: Any, count: int, at: int, rule: Rule, values: list[Any], attrs: dict[str, Any]
) -> Any:
    contents = [build.read(ref) for ref in values[:count]]
    grad, indices = values[at], values.pop(at + 1)
    wanted = (*indices.type.shape, *contents[0].type.shape[1:])
    if grad.type.shape != wanted:
        raise invalid(
            build,
            f"grad must have shape {shape_text(wanted)} but has {shape_text(grad.type.shape)}",
        )
    rows = checked_rows(build, indices, contents[0].type.shape[0])
    parts = [p.gather(build, content, rows, dims=(0,)) for content in contents]
    math = Math(build, parts[0])
    new = rule(math, *parts, *_scalars(build, values[count:], grad), **attrs)
    for ref, old, part in zip(values[:count], contents, new, strict=True):
        build.write(ref, p.scatter(build, old, rows, part, dims=(0,), kind="set"))
    return values[0]


def _scalars(build: Any, values: list[Value], grad: Value) -> list[Value]:
    """The operands after the slots: hyper-parameters as scalars, the gradient as it is."""
    return [v if v is grad else p.reshape(build, v, shape=()) for v in values]


_define("ApplyGradientDescent", "var", "alpha delta", "delta", _descent)
_define(
    "ApplyMomentum", "var accum", "lr grad momentum", "grad", _momentum,
    ", use_nesterov: bool = False",
)  # fmt: skip
_define("ApplyAdagrad", "var accum", "lr grad", "grad", _adagrad, ", update_slots: bool = True")
_define("ApplyAdadelta", "var accum accum_update", "lr rho epsilon grad", "grad", _adadelta)
_define(
    "ApplyAdam", "var m v", "beta1_power beta2_power lr beta1 beta2 epsilon grad", "grad", _adam,
    ", use_nesterov: bool = False",
)  # fmt: skip
_define("ApplyRMSProp", "var ms mom", "lr rho momentum epsilon grad", "grad", _rms_prop)
_define(
    "ApplyCenteredRMSProp", "var mg ms mom", "lr rho momentum epsilon grad", "grad",
    _centered_rms_prop,
)  # fmt: skip
_define("ApplyFtrl", "var accum linear", "grad lr l1 l2 lr_power", "grad", _ftrl)
_define("ApplyFtrlV2", "var accum linear", "grad lr l1 l2 l2_shrinkage lr_power", "grad", _ftrl_v2)
_define("ApplyProximalGradientDescent", "var", "alpha l1 l2 delta", "delta", _proximal_descent)
_define("ApplyProximalAdagrad", "var accum", "lr l1 l2 grad", "grad", _proximal_adagrad)
_define(
    "ApplyAdagradDA", "var gradient_accumulator gradient_squared_accumulator",
    "grad lr l1 l2 global_step", "grad", _adagrad_da,
)  # fmt: skip
