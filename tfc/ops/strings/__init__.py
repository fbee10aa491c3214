"""Ops on strings: text, numbers as text, hashes, Unicode, records. All of them run in Python."""

from tfc.ops.strings import (
    code_point_ops,
    file_ops,
    format_ops,
    functions,
    hash_ops,
    record_ops,
    split_ops,
    tensor_ops,
    text_ops,
)
