"""`tf.nn`: re-exports, nothing else."""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from tfc.base.later import later as _later
from tfc.ops.nn import *

_LATER = {
    "bidirectional_dynamic_rnn": "tfc.rnn.dynamic:bidirectional_dynamic_rnn",
    "dynamic_rnn": "tfc.rnn.dynamic:dynamic_rnn",
    "raw_rnn": "tfc.rnn.raw:raw_rnn",
    "rnn_cell": "tfc.rnn.rnn_cell",
    "static_bidirectional_rnn": "tfc.rnn.static:static_bidirectional_rnn",
    "static_rnn": "tfc.rnn.static:static_rnn",
    "static_state_saving_rnn": "tfc.rnn.static:static_state_saving_rnn",
}
if _TYPE_CHECKING:
    from tfc.rnn import rnn_cell
    from tfc.rnn.dynamic import bidirectional_dynamic_rnn, dynamic_rnn
    from tfc.rnn.raw import raw_rnn
    from tfc.rnn.static import static_bidirectional_rnn, static_rnn, static_state_saving_rnn


def __getattr__(name: str) -> _Any:
    """Recurrent networks, which `import tfc` does not load."""
    return _later("tfc.nn", name, _LATER)


__all__ = sorted({*_LATER, *(name for name in dir() if name[0] != "_")})


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
