"""The visible list of ops that run in Python, and that no other op does.

Host ops are strings, files, Python functions, Fourier transforms, what LAPACK computes, and outputs
whose shape depends on data.
"""

import tfc  # noqa: F401  (registers every op)
from tfc.framework import opdef

STRINGS = {
    "AsString", "StringJoin", "StringToNumber", "DecodeRaw", "StringSplit", "Substr",
    "StringToHashBucketFast", "ReduceJoin", "RegexReplace", "StringLower", "StringUpper",
    "StringStrip", "StringLength", "EncodeBase64", "DecodeBase64", "DecodePng", "EncodePng",
}  # fmt: skip
SUMMARIES = {
    "ScalarSummary", "HistogramSummary", "ImageSummary", "MergeSummary", "TensorSummaryV2",
    "AudioSummaryV2",
}  # fmt: skip
PYTHON = {"PyFunc", "PyFuncStateless", "Print", "Assert"}
DATA_DEPENDENT = {
    "ComputeAccidentalHits", "CTCBeamSearchDecoder", "CTCGreedyDecoder", "DynamicPartition",
    "ListDiff", "NonMaxSuppressionV3", "NonMaxSuppressionV5", "NonMaxSuppressionWithOverlaps",
    "Unique", "UniqueWithCounts", "Where",
}  # fmt: skip
# What meets arrays of several shapes that driven loops keep; native on all others.
RAGGED = {"LoopCount", "Residual", "ResidualAt", "ResidualAtGrad", "ZerosLike", "AddN"}
# TensorArrays of strings, of elements that differ in shape, or that grow no counter says how far.
ARRAYS = {
    "TensorArrayV3", "TensorArrayWriteV3", "TensorArrayReadV3", "TensorArrayGatherV3",
    "TensorArrayScatterV3", "TensorArrayConcatV3", "TensorArraySplitV3", "TensorArraySizeV3",
    "TensorArrayCloseV3", "TensorArrayWriteGrad", "TensorArrayReadGrad", "TensorArrayScatterGrad",
    "TensorArrayGatherGrad", "TensorArraySplitGrad", "TensorArrayConcatGrad",
}  # fmt: skip
FOURIER = {
    "FFT", "FFT2D", "FFT3D", "IFFT", "IFFT2D", "IFFT3D", "RFFT", "RFFT2D", "RFFT3D", "IRFFT",
    "IRFFT2D", "IRFFT3D",
}  # fmt: skip
LAPACK = {
    "Cholesky", "LogMatrixDeterminant", "Lu", "MatrixDeterminant", "MatrixInverse",
    "MatrixLogarithm", "MatrixSolve", "MatrixSolveLs", "MatrixSquareRoot", "MatrixTriangularSolve",
    "Qr", "SelfAdjointEigV2", "Svd", "TridiagonalSolve",
}  # fmt: skip
ALLOWED = FOURIER | LAPACK | STRINGS | SUMMARIES | PYTHON | DATA_DEPENDENT


def test_only_listed_ops_have_host_rules():
    hosts = {name for name, defn in opdef.all_opdefs().items() if defn.lower is None and defn.host}
    assert hosts - ALLOWED == set()
    assert {"PyFunc", "MergeSummary", "Where"} <= hosts
