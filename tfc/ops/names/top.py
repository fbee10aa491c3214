"""Names of `tf` that are loaded when they are asked for, as type checkers see them. No running
program imports this module: `tfc.ops.names.later` says there where the names are."""

from tfc.ops.datasets.sparse_ops import (
    deserialize_many_sparse,
    serialize_many_sparse,
    serialize_sparse,
)
from tfc.ops.examples.features import (
    FixedLenFeature,
    FixedLenSequenceFeature,
    SparseFeature,
    VarLenFeature,
    parse_example,
    parse_single_example,
)
from tfc.ops.examples.sequence_ops import parse_single_sequence_example
from tfc.ops.identity_ops import grad_pass_through, guarantee_const, identity_n
from tfc.ops.image.patch_ops import extract_image_patches
from tfc.ops.image.volume_patch_ops import extract_volume_patches
from tfc.ops.linalg.decomposition_ops import (
    cholesky,
    cholesky_solve,
    qr,
    self_adjoint_eig,
    self_adjoint_eigvals,
    svd,
)
from tfc.ops.linalg.diagonal_ops import matrix_diag, matrix_diag_part, matrix_set_diag
from tfc.ops.linalg.einsum_ops import einsum
from tfc.ops.linalg.function_ops import sqrtm as matrix_square_root
from tfc.ops.linalg.least_squares import matrix_solve_ls
from tfc.ops.linalg.solve_ops import (
    matrix_determinant,
    matrix_inverse,
    matrix_solve,
    matrix_triangular_solve,
)
from tfc.ops.linalg.tensordot import tensordot
from tfc.ops.names import (
    bitwise,
    debugging,
    dtypes,
    image,
    linalg,
    manip,
    math,
    quantization,
    queue,
    random,
    raw_ops,
    sets,
    signal,
    sparse,
    spectral,
    strings,
    user_ops,
)
from tfc.ops.print_ops import print_ as print
from tfc.ops.print_ops import timestamp
from tfc.ops.queues.queue_classes import (
    FIFOQueue,
    PaddingFIFOQueue,
    PriorityQueue,
    QueueBase,
    RandomShuffleQueue,
)
from tfc.ops.sampling.gamma import random_gamma
from tfc.ops.sampling.poisson import random_poisson
from tfc.ops.signal.fft_ops import fft, fft2d, fft3d, ifft, ifft2d, ifft3d
from tfc.ops.sparse.combine_functions import (
    sparse_add,
    sparse_concat,
    sparse_mask,
    sparse_matmul,
    sparse_maximum,
    sparse_minimum,
    sparse_split,
    sparse_tensor_dense_matmul,
)
from tfc.ops.sparse.dense_ops import sparse_to_dense
from tfc.ops.sparse.edit_ops import edit_distance
from tfc.ops.sparse.functions import (
    sparse_fill_empty_rows,
    sparse_merge,
    sparse_placeholder,
    sparse_reorder,
    sparse_reset_shape,
    sparse_reshape,
    sparse_retain,
    sparse_slice,
    sparse_softmax,
    sparse_tensor_to_dense,
    sparse_to_indicator,
    sparse_transpose,
)
from tfc.ops.sparse.reduce_functions import (
    sparse_reduce_max,
    sparse_reduce_max_sparse,
    sparse_reduce_sum,
    sparse_reduce_sum_sparse,
)
from tfc.ops.sparse_segment_ops import (
    sparse_segment_mean,
    sparse_segment_sqrt_n,
    sparse_segment_sum,
)
from tfc.ops.special.beta_integral import betainc
from tfc.ops.special.functions import lbeta
from tfc.ops.special.gamma_integral import igamma, igammac
from tfc.ops.special.zeta import polygamma, zeta
from tfc.ops.strings.file_ops import decode_compressed, matching_files, read_file, write_file
from tfc.ops.strings.format_ops import regex_replace
from tfc.ops.strings.functions import (
    as_string,
    decode_base64,
    decode_raw,
    encode_base64,
    reduce_join,
    string_join,
    string_strip,
    string_to_number,
    substr,
)
from tfc.ops.strings.hash_ops import fingerprint_ as fingerprint
from tfc.ops.strings.hash_ops import (
    string_to_hash_bucket,
    string_to_hash_bucket_fast,
    string_to_hash_bucket_strong,
)
from tfc.ops.strings.record_ops import decode_csv
from tfc.ops.strings.split_ops import string_split
from tfc.ops.strings.tensor_ops import parse_tensor, serialize_tensor
from tfc.ops.unravel_ops import unravel_index, where_v2
