"""Heroes: the ops that own a kernel's loops, one file each.

A hero is a function of a `Kernel`. It walks its own loops, reads operands as packets
(`k.e.value(v, index)`, so that producers ride along) and hands each finished packet to
`k.finish(index, {value: packet})` (so that the epilogue rides along).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfc.codegen.heroes import (
    arg_reduce,
    assert_,
    control,
    conv,
    conv_grad,
    dot,
    elements,
    reduce_stages,
    rng,
    rows,
    scan,
    scatter,
    sort,
    update,
    window,
)
from tfc.codegen.kernels import Kernel
from tfc.ir.core import Op
from tfc.prims.factorization import FACTORIZATIONS, MOST_IN_REGISTERS, is_small

Write = Callable[[Kernel], None]

HEROES: dict[str, Callable[[Op], Sequence[Write]]] = {}
"""For each hero, the functions that write its stages, for a given fusion op."""

ALL_SPLIT = {"conv_grad_filter"}
"""Heroes all of whose stages are split into chunks; of the others, the first stage is."""


def _one(write: Write) -> Callable[[Op], Sequence[Write]]:
    return lambda op: (write,)


def _factors(op: Op) -> Sequence[Write]:
    # most programs have no use for them
    hero = next(inner for inner in op.regions[0].ops if inner.defn.name in FACTORIZATIONS)
    if not is_small(hero):
        from tfc.codegen.heroes import factors

        return (factors.write,)
    if hero.operands[0].type.shape[1] <= MOST_IN_REGISTERS:
        from tfc.codegen.heroes import small_factors

        return (small_factors.write,)
    from tfc.codegen.heroes import looped_factors

    return (looped_factors.write,)


HEROES["loop"] = _one(elements.write)
HEROES["reduce_window"] = _one(elements.write)  # its element is a fold
HEROES["dot"] = dot.stages
HEROES["conv"] = _one(conv.write)
HEROES["conv_grad_input"] = _one(conv.write)
HEROES["conv_grad_filter"] = conv_grad.stages
HEROES["reduce"] = reduce_stages.stages
HEROES["rows"] = _one(rows.write)
HEROES["arg_reduce"] = _one(arg_reduce.write)
HEROES["cumulative"] = _one(scan.write)
HEROES["select_and_scatter"] = _one(window.write)
HEROES["scatter_near"] = _one(window.write)
HEROES["scatter"] = _one(scatter.write)
HEROES["dynamic_update_slice"] = _one(update.write)
HEROES["sort"] = _one(sort.write)
HEROES["rng_bits"] = _one(rng.write_bits)
HEROES["rng_truncated_normal"] = _one(rng.write_truncated_normal)
HEROES.update(dict.fromkeys(FACTORIZATIONS, _factors))
HEROES["assert"] = _one(assert_.write)
HEROES["while"] = _one(control.write)
HEROES["cond"] = _one(control.write)


def stages_of(op: Op) -> Sequence[Write]:
    """What writes the stages of a fusion op."""
    name = op.attr("hero")
    if name not in HEROES:
        raise NotImplementedError(f"no code for a fusion whose hero is {name!r}")
    return HEROES[name](op)
