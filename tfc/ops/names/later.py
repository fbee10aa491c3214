"""Where names of `tf` are that are loaded when they are asked for. `tfc.ops.names.top` has them for
type checkers, and `tests/test_later.py` compares the two."""

from tfc.base.later import modules, table

_NAMESPACES = """
tfc.ops.names.bitwise: bitwise
tfc.ops.names.debugging: debugging
tfc.ops.names.dtypes: dtypes
tfc.ops.names.image: image
tfc.ops.names.linalg: linalg
tfc.ops.names.manip: manip
tfc.ops.names.math: math
tfc.ops.names.quantization: quantization
tfc.ops.names.queue: queue
tfc.ops.names.random: random
tfc.ops.names.raw_ops: raw_ops
tfc.ops.names.sets: sets
tfc.ops.names.signal: signal
tfc.ops.names.sparse: sparse
tfc.ops.names.spectral: spectral
tfc.ops.names.strings: strings
tfc.ops.names.user_ops: user_ops
"""
_NAMES = """
tfc.ops.bitcast_ops: bitcast
tfc.ops.confusion_ops: confusion_matrix
tfc.ops.count_ops: histogram_fixed_width histogram_fixed_width_bins searchsorted
tfc.ops.datasets.sparse_ops: deserialize_many_sparse serialize_many_sparse serialize_sparse
tfc.ops.diag_ops: diag diag_part eye matrix_band_part matrix_transpose tensor_scatter_add
  tensor_scatter_max tensor_scatter_min tensor_scatter_nd_add tensor_scatter_nd_max
  tensor_scatter_nd_min tensor_scatter_nd_sub tensor_scatter_nd_update tensor_scatter_sub
  tensor_scatter_update
tfc.ops.examples.features: FixedLenFeature FixedLenSequenceFeature SparseFeature VarLenFeature
  parse_example parse_single_example
tfc.ops.examples.sequence_ops: parse_single_sequence_example
tfc.ops.fake_quant_ops: fake_quant_with_min_max_args fake_quant_with_min_max_args_gradient
  fake_quant_with_min_max_vars fake_quant_with_min_max_vars_gradient
  fake_quant_with_min_max_vars_per_channel fake_quant_with_min_max_vars_per_channel_gradient
tfc.ops.functional_ops: foldl foldr map_fn scan
tfc.ops.hessians: hessians
tfc.ops.identity_ops: grad_pass_through guarantee_const identity_n
tfc.ops.image.patch_ops: extract_image_patches
tfc.ops.image.volume_patch_ops: extract_volume_patches
tfc.ops.linalg.decomposition_ops: cholesky cholesky_solve qr self_adjoint_eig self_adjoint_eigvals
  svd
tfc.ops.linalg.diagonal_ops: matrix_diag matrix_diag_part matrix_set_diag
tfc.ops.linalg.einsum_ops: einsum
tfc.ops.linalg.function_ops: matrix_square_root=sqrtm
tfc.ops.linalg.least_squares: matrix_solve_ls
tfc.ops.linalg.solve_ops: matrix_determinant matrix_inverse matrix_solve matrix_triangular_solve
tfc.ops.linalg.tensordot: tensordot
tfc.ops.norm_ops: norm random_crop trace
tfc.ops.print_ops: print=print_ timestamp
tfc.ops.queues.queue_classes: FIFOQueue PaddingFIFOQueue PriorityQueue QueueBase
  RandomShuffleQueue
tfc.ops.reverse_ops: argsort batch_gather broadcast_dynamic_shape broadcast_static_shape meshgrid
  repeat reverse reverse_sequence reverse_v2 roll sequence_mask sort
tfc.ops.sampling.gamma: random_gamma
tfc.ops.sampling.poisson: random_poisson
tfc.ops.scan_ops: arg_max arg_min argmax argmin cumprod cumsum lin_space linspace range=range_
tfc.ops.script_ops: numpy_function py_func
tfc.ops.segment_ops: segment_max segment_mean segment_min segment_prod segment_sum
  unsorted_segment_max unsorted_segment_mean unsorted_segment_min unsorted_segment_prod
  unsorted_segment_sqrt_n unsorted_segment_sum
tfc.ops.signal.fft_ops: fft fft2d fft3d ifft ifft2d ifft3d
tfc.ops.space_ops: batch_to_space batch_to_space_nd depth_to_space
  required_space_to_batch_paddings space_to_batch space_to_batch_nd space_to_depth
tfc.ops.sparse.combine_functions: sparse_add sparse_concat sparse_mask sparse_matmul
  sparse_maximum sparse_minimum sparse_split sparse_tensor_dense_matmul
tfc.ops.sparse.dense_ops: sparse_to_dense
tfc.ops.sparse.edit_ops: edit_distance
tfc.ops.sparse.functions: sparse_fill_empty_rows sparse_merge sparse_placeholder sparse_reorder
  sparse_reset_shape sparse_reshape sparse_retain sparse_slice sparse_softmax
  sparse_tensor_to_dense sparse_to_indicator sparse_transpose
tfc.ops.sparse.reduce_functions: sparse_reduce_max sparse_reduce_max_sparse sparse_reduce_sum
  sparse_reduce_sum_sparse
tfc.ops.sparse_segment_ops: sparse_segment_mean sparse_segment_sqrt_n sparse_segment_sum
tfc.ops.special.beta_integral: betainc
tfc.ops.special.functions: lbeta
tfc.ops.special.gamma_integral: igamma igammac
tfc.ops.special.zeta: polygamma zeta
tfc.ops.stitch_ops: dynamic_partition dynamic_stitch listdiff setdiff1d unique unique_with_counts
tfc.ops.strings.file_ops: decode_compressed matching_files read_file write_file
tfc.ops.strings.format_ops: regex_replace
tfc.ops.strings.functions: as_string decode_base64 decode_raw encode_base64 reduce_join
  string_join string_strip string_to_number substr
tfc.ops.strings.hash_ops: fingerprint=fingerprint_ string_to_hash_bucket
  string_to_hash_bucket_fast string_to_hash_bucket_strong
tfc.ops.strings.record_ops: decode_csv
tfc.ops.strings.split_ops: string_split
tfc.ops.strings.tensor_ops: parse_tensor serialize_tensor
tfc.ops.unravel_ops: unravel_index where_v2
"""
LATER = {**modules(_NAMESPACES), **table(_NAMES)}
