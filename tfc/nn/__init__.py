"""`tf.nn`: re-exports, nothing else."""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from tfc.base.later import later as _later
from tfc.base.later import table as _table
from tfc.ops.nn import *

_LATER = {
    "bidirectional_dynamic_rnn": "tfc.rnn.dynamic:bidirectional_dynamic_rnn",
    "dynamic_rnn": "tfc.rnn.dynamic:dynamic_rnn",
    "raw_rnn": "tfc.rnn.raw:raw_rnn",
    "rnn_cell": "tfc.rnn.rnn_cell",
    "static_bidirectional_rnn": "tfc.rnn.static:static_bidirectional_rnn",
    "static_rnn": "tfc.rnn.static:static_rnn",
    "static_state_saving_rnn": "tfc.rnn.static:static_state_saving_rnn",
    **_table("""
tfc.ops.ctc.decoders: ctc_beam_search_decoder ctc_beam_search_decoder_v2 ctc_greedy_decoder
tfc.ops.ctc.dense: collapse_repeated ctc_loss_v2 ctc_unique_labels
tfc.ops.ctc.loss: ctc_loss
tfc.ops.sampling.candidates: all_candidate_sampler compute_accidental_hits
  fixed_unigram_candidate_sampler learned_unigram_candidate_sampler log_uniform_candidate_sampler
  uniform_candidate_sampler
tfc.ops.sampling.losses: nce_loss sampled_softmax_loss
tfc.ops.dilation_ops: dilation2d erosion2d
tfc.ops.fractional_pool_ops: fractional_avg_pool fractional_max_pool
tfc.ops.space_ops: depth_to_space space_to_batch space_to_depth
"""),
}
if _TYPE_CHECKING:
    from tfc.ops.ctc.decoders import (
        ctc_beam_search_decoder,
        ctc_beam_search_decoder_v2,
        ctc_greedy_decoder,
    )
    from tfc.ops.ctc.dense import (
        collapse_repeated,
        ctc_loss_v2,
        ctc_unique_labels,
    )
    from tfc.ops.ctc.loss import (
        ctc_loss,
    )
    from tfc.ops.dilation_ops import dilation2d, erosion2d
    from tfc.ops.fractional_pool_ops import fractional_avg_pool, fractional_max_pool
    from tfc.ops.sampling.candidates import (
        all_candidate_sampler,
        compute_accidental_hits,
        fixed_unigram_candidate_sampler,
        learned_unigram_candidate_sampler,
        log_uniform_candidate_sampler,
        uniform_candidate_sampler,
    )
    from tfc.ops.sampling.losses import (
        nce_loss,
        sampled_softmax_loss,
    )
    from tfc.ops.space_ops import depth_to_space, space_to_batch, space_to_depth
    from tfc.rnn import rnn_cell
    from tfc.rnn.dynamic import bidirectional_dynamic_rnn, dynamic_rnn
    from tfc.rnn.raw import raw_rnn
    from tfc.rnn.static import static_bidirectional_rnn, static_rnn, static_state_saving_rnn


def __getattr__(name: str) -> _Any:
    """What `import tfc` does not load, such as recurrent networks and sampled losses."""
    return _later("tfc.nn", name, _LATER)


__all__ = sorted({*_LATER, *(name for name in dir() if name[0] != "_")})


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
