"""Names of `tf` that are loaded when they are asked for, as type checkers see them. No running
program imports this module: `tfc.ops.names.later` says there where the names are."""

from tfc.ops.bitcast_ops import bitcast
from tfc.ops.confusion_ops import confusion_matrix
from tfc.ops.count_ops import histogram_fixed_width, histogram_fixed_width_bins, searchsorted
from tfc.ops.datasets.sparse_ops import (
    deserialize_many_sparse,
    serialize_many_sparse,
    serialize_sparse,
)
from tfc.ops.diag_ops import (
    diag,
    diag_part,
    eye,
    matrix_band_part,
    matrix_transpose,
    tensor_scatter_add,
    tensor_scatter_max,
    tensor_scatter_min,
    tensor_scatter_nd_add,
    tensor_scatter_nd_max,
    tensor_scatter_nd_min,
    tensor_scatter_nd_sub,
    tensor_scatter_nd_update,
    tensor_scatter_sub,
    tensor_scatter_update,
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
from tfc.ops.fake_quant_ops import (
    fake_quant_with_min_max_args,
    fake_quant_with_min_max_args_gradient,
    fake_quant_with_min_max_vars,
    fake_quant_with_min_max_vars_gradient,
    fake_quant_with_min_max_vars_per_channel,
    fake_quant_with_min_max_vars_per_channel_gradient,
)
from tfc.ops.functional_ops import foldl, foldr, map_fn, scan
from tfc.ops.hessians import hessians
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
from tfc.ops.norm_ops import norm, random_crop, trace
from tfc.ops.print_ops import print_ as print
from tfc.ops.print_ops import timestamp
from tfc.ops.queues.queue_classes import (
    FIFOQueue,
    PaddingFIFOQueue,
    PriorityQueue,
    QueueBase,
    RandomShuffleQueue,
)
from tfc.ops.reverse_ops import (
    argsort,
    batch_gather,
    broadcast_dynamic_shape,
    broadcast_static_shape,
    meshgrid,
    repeat,
    reverse,
    reverse_sequence,
    reverse_v2,
    roll,
    sequence_mask,
    sort,
)
from tfc.ops.sampling.gamma import random_gamma
from tfc.ops.sampling.poisson import random_poisson
from tfc.ops.scan_ops import arg_max, arg_min, argmax, argmin, cumprod, cumsum, lin_space, linspace
from tfc.ops.scan_ops import range_ as range
from tfc.ops.script_ops import numpy_function, py_func
from tfc.ops.segment_ops import (
    segment_max,
    segment_mean,
    segment_min,
    segment_prod,
    segment_sum,
    unsorted_segment_max,
    unsorted_segment_mean,
    unsorted_segment_min,
    unsorted_segment_prod,
    unsorted_segment_sqrt_n,
    unsorted_segment_sum,
)
from tfc.ops.signal.fft_ops import fft, fft2d, fft3d, ifft, ifft2d, ifft3d
from tfc.ops.space_ops import (
    batch_to_space,
    batch_to_space_nd,
    depth_to_space,
    required_space_to_batch_paddings,
    space_to_batch,
    space_to_batch_nd,
    space_to_depth,
)
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
from tfc.ops.stitch_ops import (
    dynamic_partition,
    dynamic_stitch,
    listdiff,
    setdiff1d,
    unique,
    unique_with_counts,
)
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
