"""The visible list of ops that run in Python, and that no other op does.

Host ops are strings, files, datasets, Python functions, Fourier transforms, some of what LAPACK
computes, and outputs whose shape depends on data.
"""

import tfc  # noqa: F401  (registers every op)
from tfc.framework import opdef

STRINGS = {
    "AsString", "StringJoin", "StringToNumber", "DecodeRaw", "StringSplit", "StringSplitV2",
    "Substr", "StringToHashBucket", "StringToHashBucketFast", "StringToHashBucketStrong",
    "ReduceJoin", "UnsortedSegmentJoin", "RegexReplace", "StaticRegexReplace", "RegexFullMatch",
    "StaticRegexFullMatch", "StringFormat", "StringLower", "StringUpper", "StringStrip",
    "StringLength", "EncodeBase64", "DecodeBase64", "DecodeCSV", "DecodeCompressed",
    "UnicodeDecode", "UnicodeDecodeWithOffsets", "UnicodeEncode", "UnicodeTranscode",
    "RaggedPlaces", "ParseExample", "ParseSingleExample", "ParseSingleSequenceExample",
    "DecodePng", "EncodePng", "DecodeJpeg", "DecodeAndCropJpeg", "EncodeJpeg",
    "EncodeJpegVariableQuality",
    "DecodeBmp", "DecodeGif", "DecodeImage", "ExtractJpegShape", "Fact", "Fingerprint",
    "ParseTensor", "SerializeTensor",
}  # fmt: skip
SUMMARIES = {
    "ScalarSummary", "HistogramSummary", "ImageSummary", "MergeSummary", "TensorSummaryV2",
    "AudioSummaryV2",
}  # fmt: skip
FILES = {"ReadFile", "WriteFile", "MatchingFiles"}
PYTHON = {"PyFunc", "PyFuncStateless", "Print", "PrintV2", "Assert", "Timestamp"}
DATA_DEPENDENT = {
    "ComputeAccidentalHits", "CTCBeamSearchDecoder", "CTCGreedyDecoder", "DynamicPartition",
    "EditDistance", "ListDiff",
    "NonMaxSuppressionV3", "NonMaxSuppressionV5", "NonMaxSuppressionWithOverlaps",
    "Unique", "UniqueWithCounts", "Where",
    "DenseToDenseSetOperation", "DenseToSparseSetOperation", "SetSize", "SparseAdd",
    "SparseFillEmptyRows", "SparseReduceMaxSparse", "SparseReduceSumSparse", "SparseSlice",
    "SparseSparseMaximum", "SparseSparseMinimum", "SparseSplit", "SparseToSparseSetOperation",
}  # fmt: skip
QUEUES = {
    "FIFOQueueV2", "PaddingFIFOQueueV2", "PriorityQueueV2", "RandomShuffleQueueV2",
    "QueueEnqueueV2", "QueueEnqueueManyV2", "QueueDequeueV2", "QueueDequeueManyV2",
    "QueueDequeueUpToV2", "QueueCloseV2", "QueueIsClosedV2", "QueueSizeV2",
}  # fmt: skip
# Datasets and iterators; the functions that they call are compiled.
DATASETS = {
    "BatchDatasetV2", "CacheDataset", "ConcatenateDataset", "DatasetCardinality",
    "DatasetToSingleElement", "DatasetToTFRecord", "DeserializeSparse", "DeserializeManySparse",
    "DirectedInterleaveDataset", "FilterDataset", "FixedLengthRecordDatasetV2",
    "FlatMapDataset", "GeneratorDataset", "GroupByReducerDataset", "GroupByWindowDataset",
    "IgnoreErrorsDataset", "InterleaveDataset", "IteratorFromStringHandleV2", "IteratorGetNext",
    "IteratorToStringHandle", "IteratorV2", "MakeIterator", "MapAndBatchDataset", "MapDataset",
    "OneShotIterator", "PaddedBatchDatasetV2", "ParallelInterleaveDatasetV2",
    "ParallelMapDataset", "PrefetchDataset", "RandomDataset", "RangeDataset", "ReduceDataset",
    "RepeatDataset", "ScanDataset", "SerializeManySparse", "SerializeSparse", "ShardDataset",
    "ShuffleAndRepeatDataset", "ShuffleDataset", "SkipDataset", "SparseTensorSliceDataset",
    "TFRecordDataset", "TakeDataset", "TakeWhileDataset", "TensorDataset", "TensorSliceDataset",
    "TextLineDataset", "UnbatchDataset", "UniqueDataset", "WindowDataset", "ZipDataset",
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
    "MatrixLogarithm", "MatrixSquareRoot",
}  # fmt: skip
ALLOWED = FOURIER | LAPACK | STRINGS | FILES | QUEUES | SUMMARIES | PYTHON | DATA_DEPENDENT
ALLOWED |= DATASETS


def test_only_listed_ops_have_host_rules():
    hosts = {name for name, defn in opdef.all_opdefs().items() if defn.lower is None and defn.host}
    assert hosts - ALLOWED == set()
    assert {"PyFunc", "MergeSummary", "Where"} <= hosts
