"""Seeds of random ops: a graph seed and an op seed, TensorFlow's rules."""

from __future__ import annotations

from tfc.framework.stack import get_default_graph

DEFAULT_GRAPH_SEED = 87654321
_MAXINT32 = 2**31 - 1


def set_random_seed(seed: int | None) -> None:
    """Set the seed of the default graph, from which ops made later take theirs."""
    get_default_graph().seed = seed


def get_seed(op_seed: int | None) -> tuple[int | None, int | None]:
    """(graph seed, op seed) for a random op that is about to be made; (None, None): unseeded.

    With a graph seed alone, the op seed is the number of ops that came here before without one.
    """
    graph = get_default_graph()
    if graph.seed is not None:
        if op_seed is None:
            op_seed = graph.unseeded_random_ops
            graph.unseeded_random_ops += 1
        seeds = int(graph.seed) % _MAXINT32, int(op_seed) % _MAXINT32
    elif op_seed is not None:
        seeds = DEFAULT_GRAPH_SEED, int(op_seed) % _MAXINT32
    else:
        return None, None
    return (0, _MAXINT32) if seeds == (0, 0) else seeds
