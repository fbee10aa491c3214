"""`tf.dtypes`: types, and conversions between them. Re-exports, nothing else."""

from tfc.base.dtypes import (
    DType,
    as_dtype,
    bfloat16,
    complex64,
    complex128,
    double,
    float16,
    float32,
    float64,
    half,
    int8,
    int16,
    int32,
    int64,
    resource,
    string,
    uint8,
    uint16,
    uint32,
    uint64,
    variant,
)
from tfc.base.dtypes import bool_ as bool
from tfc.ops.cast_ops import cast, saturate_cast
from tfc.ops.cast_ops import complex_ as complex
from tfc.ops.strings.functions import as_string
