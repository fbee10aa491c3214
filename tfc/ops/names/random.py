"""`tf.random`: random tensors. Re-exports, nothing else."""

from tfc.framework.random_seed import get_seed, set_random_seed
from tfc.ops.random_ops import categorical, multinomial, truncated_normal
from tfc.ops.random_ops import random_normal as normal
from tfc.ops.random_ops import random_shuffle as shuffle
from tfc.ops.random_ops import random_uniform as uniform
from tfc.ops.sampling.candidates import (
    all_candidate_sampler,
    fixed_unigram_candidate_sampler,
    learned_unigram_candidate_sampler,
    log_uniform_candidate_sampler,
    uniform_candidate_sampler,
)
from tfc.ops.sampling.gamma import random_gamma as gamma
from tfc.ops.sampling.poisson import random_poisson as poisson
from tfc.ops.sampling.stateless import (
    stateless_categorical,
    stateless_gamma,
    stateless_multinomial,
    stateless_normal,
    stateless_poisson,
    stateless_truncated_normal,
    stateless_uniform,
)
