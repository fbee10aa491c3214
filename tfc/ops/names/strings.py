"""`tf.strings`: functions of string tensors. Re-exports, nothing else."""

from tfc.ops.strings.code_point_ops import (
    unicode_decode,
    unicode_decode_with_offsets,
    unicode_encode,
    unicode_split,
    unicode_split_with_offsets,
    unicode_transcode,
)
from tfc.ops.strings.format_ops import regex_full_match, regex_replace
from tfc.ops.strings.format_ops import string_format as format
from tfc.ops.strings.functions import as_string, reduce_join, substr
from tfc.ops.strings.functions import string_join as join
from tfc.ops.strings.functions import string_length as length
from tfc.ops.strings.functions import string_lower as lower
from tfc.ops.strings.functions import string_strip as strip
from tfc.ops.strings.functions import string_to_number as to_number
from tfc.ops.strings.functions import string_upper as upper
from tfc.ops.strings.hash_ops import string_to_hash_bucket as to_hash_bucket
from tfc.ops.strings.hash_ops import string_to_hash_bucket_fast as to_hash_bucket_fast
from tfc.ops.strings.hash_ops import string_to_hash_bucket_strong as to_hash_bucket_strong
from tfc.ops.strings.record_ops import unsorted_segment_join
from tfc.ops.strings.split_ops import bytes_split
from tfc.ops.strings.split_ops import string_split_v2 as split
