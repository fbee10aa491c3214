"""Which module has which op, for modules that are loaded when the first of their ops is asked for.

A module of ops stands here or is imported by `tfc.ops`; `tests/test_later.py` compares the list
with the modules.
"""

from tfc.base.later import modules

LATER = modules("""
tfc.ops.bitcast_ops: Bitcast
tfc.ops.count_ops: HistogramFixedWidth LowerBound UpperBound
tfc.ops.ctc.decoders: CTCBeamSearchDecoder CTCGreedyDecoder
tfc.ops.ctc.dense: CTCLossDense
tfc.ops.ctc.loss: CTCLoss
tfc.ops.datasets.batch_ops: BatchDatasetV2 PaddedBatchDatasetV2 UnbatchDataset WindowDataset
tfc.ops.datasets.file_ops: DatasetToTFRecord FixedLengthRecordDatasetV2 TFRecordDataset
  TextLineDataset
tfc.ops.datasets.function_ops: FilterDataset FlatMapDataset IgnoreErrorsDataset InterleaveDataset
  MapAndBatchDataset MapDataset ParallelInterleaveDatasetV2 ParallelMapDataset ScanDataset
  TakeWhileDataset UniqueDataset
tfc.ops.datasets.group_ops: GroupByReducerDataset GroupByWindowDataset
tfc.ops.datasets.iterator_ops: DatasetCardinality DatasetToSingleElement
  IteratorFromStringHandleV2 IteratorGetNext IteratorToStringHandle IteratorV2 MakeIterator
  OneShotIterator ReduceDataset
tfc.ops.datasets.join_ops: ConcatenateDataset DirectedInterleaveDataset ZipDataset
tfc.ops.datasets.order_ops: CacheDataset PrefetchDataset RepeatDataset ShardDataset
  ShuffleAndRepeatDataset ShuffleDataset SkipDataset TakeDataset
tfc.ops.datasets.source_ops: GeneratorDataset RandomDataset RangeDataset TensorDataset
  TensorSliceDataset
tfc.ops.datasets.sparse_ops: DeserializeManySparse DeserializeSparse SerializeManySparse
  SerializeSparse SparseTensorSliceDataset
tfc.ops.diag_ops: Diag DiagPart MatrixBandPart MatrixDiag MatrixDiagPart MatrixSetDiag
  TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate
tfc.ops.dilation_ops: Dilation2D Dilation2DBackpropFilter Dilation2DBackpropInput
tfc.ops.examples.parse_ops: ParseExample ParseSingleExample
tfc.ops.examples.sequence_ops: ParseSingleSequenceExample
tfc.ops.fake_quant_ops: FakeQuantWithMinMaxArgs FakeQuantWithMinMaxArgsGradient
  FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsGradient FakeQuantWithMinMaxVarsPerChannel
  FakeQuantWithMinMaxVarsPerChannelGradient
tfc.ops.fractional_pool_ops: FractionalAvgPool FractionalAvgPoolGrad FractionalMaxPool
  FractionalMaxPoolGrad
tfc.ops.image.box_ops: DrawBoundingBoxes DrawBoundingBoxesV2 SampleDistortedBoundingBoxV2
tfc.ops.image.color_ops: AdjustContrastv2 AdjustHue AdjustSaturation HSVToRGB RGBToHSV
tfc.ops.image.crop_ops: CropAndResize CropAndResizeGradBoxes CropAndResizeGradImage ExtractGlimpse
tfc.ops.image.decode_ops: DecodeBmp DecodeGif DecodeImage
tfc.ops.image.jpeg_ops: DecodeAndCropJpeg DecodeJpeg EncodeJpeg EncodeJpegVariableQuality
  ExtractJpegShape
tfc.ops.image.nms_native: CombinedNonMaxSuppression NonMaxSuppressionPadded
tfc.ops.image.nms_ops: NonMaxSuppressionV3 NonMaxSuppressionV5 NonMaxSuppressionWithOverlaps
tfc.ops.image.patch_ops: ExtractImagePatches ExtractImagePatchesGrad
tfc.ops.image.png_ops: DecodePng EncodePng
tfc.ops.image.resize_ops: ResizeArea ResizeBicubic ResizeBicubicGrad ResizeBilinear
  ResizeBilinearGrad ResizeNearestNeighbor ResizeNearestNeighborGrad
tfc.ops.image.volume_patch_ops: ExtractVolumePatches ExtractVolumePatchesGrad
tfc.ops.linalg.decomposition_ops: Cholesky Qr SelfAdjointEigV2 Svd
tfc.ops.linalg.diagonal_ops: MatrixDiagPartV3 MatrixDiagV3 MatrixSetDiagV3
tfc.ops.linalg.einsum_ops: Einsum
tfc.ops.linalg.function_ops: MatrixLogarithm MatrixSquareRoot
tfc.ops.linalg.least_squares: MatrixSolveLs
tfc.ops.linalg.solve_ops: LogMatrixDeterminant Lu MatrixDeterminant MatrixInverse MatrixSolve
  MatrixTriangularSolve
tfc.ops.linalg.tridiagonal_ops: TridiagonalSolve
tfc.ops.print_ops: PrintV2 Timestamp
tfc.ops.quantize_ops: QuantizeAndDequantizeV2
tfc.ops.queues.queue_ops: FIFOQueueV2 PaddingFIFOQueueV2 PriorityQueueV2 QueueCloseV2
  QueueDequeueManyV2 QueueDequeueUpToV2 QueueDequeueV2 QueueEnqueueManyV2 QueueEnqueueV2
  QueueIsClosedV2 QueueSizeV2 RandomShuffleQueueV2
tfc.ops.reverse_ops: ReverseSequence ReverseV2 Roll
tfc.ops.sampling.candidates: AllCandidateSampler ComputeAccidentalHits
  FixedUnigramCandidateSampler LearnedUnigramCandidateSampler LogUniformCandidateSampler
  UniformCandidateSampler
tfc.ops.sampling.gamma: RandomGamma
tfc.ops.sampling.poisson: RandomPoissonV2
tfc.ops.sampling.stateless: StatelessMultinomial StatelessRandomGammaV2 StatelessRandomNormal
  StatelessRandomPoisson StatelessRandomUniform StatelessRandomUniformFullInt
  StatelessRandomUniformInt StatelessTruncatedNormal
tfc.ops.scan_ops: ArgMax ArgMin Cumprod Cumsum LinSpace Range
tfc.ops.script_ops: PyFunc PyFuncStateless
tfc.ops.segment_ops: SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum UnsortedSegmentMax
  UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum
tfc.ops.signal.fft_ops: FFT FFT2D FFT3D IFFT IFFT2D IFFT3D IRFFT IRFFT2D IRFFT3D RFFT RFFT2D
  RFFT3D
tfc.ops.sparse.combine_ops: SparseAdd SparseAddGrad SparseSparseMaximum SparseSparseMinimum
tfc.ops.sparse.dense_ops: SparseTensorDenseAdd SparseTensorDenseMatMul SparseToDense
tfc.ops.sparse.edit_ops: EditDistance
tfc.ops.sparse.order_ops: SparseConcat SparseReorder SparseReshape SparseRowSums SparseSoftmax
tfc.ops.sparse.part_ops: SparseFillEmptyRows SparseFillEmptyRowsGrad SparseSlice SparseSliceGrad
  SparseSplit
tfc.ops.sparse.reduce_ops: SparseReduceMax SparseReduceMaxSparse SparseReduceSum
  SparseReduceSumSparse
tfc.ops.sparse.set_ops: DenseToDenseSetOperation DenseToSparseSetOperation SetSize
  SparseToSparseSetOperation
tfc.ops.sparse_segment_ops: SparseSegmentMean SparseSegmentMeanGrad
  SparseSegmentMeanWithNumSegments SparseSegmentSqrtN SparseSegmentSqrtNGrad
  SparseSegmentSqrtNWithNumSegments SparseSegmentSum SparseSegmentSumWithNumSegments
tfc.ops.special.bessel: BesselI0 BesselI0e BesselI1 BesselI1e
tfc.ops.special.beta_integral: Betainc
tfc.ops.special.functions: CumulativeLogsumexp MulNoNan NextAfter Xlog1py
tfc.ops.special.gamma_integral: Igamma IgammaGradA Igammac RandomGammaGrad
tfc.ops.special.inverse_normal: Erfinv Ndtri
tfc.ops.special.zeta: Polygamma Zeta
tfc.ops.stitch_ops: DynamicPartition DynamicStitch ListDiff Unique UniqueWithCounts
tfc.ops.strings.code_point_ops: UnicodeDecode UnicodeDecodeWithOffsets UnicodeEncode
  UnicodeTranscode
tfc.ops.strings.file_ops: DecodeCompressed MatchingFiles ReadFile WriteFile
tfc.ops.strings.format_ops: Fact RegexFullMatch RegexReplace StaticRegexFullMatch
  StaticRegexReplace StringFormat
tfc.ops.strings.hash_ops: Fingerprint StringToHashBucket StringToHashBucketFast
  StringToHashBucketStrong
tfc.ops.strings.record_ops: DecodeCSV UnsortedSegmentJoin
tfc.ops.strings.split_ops: RaggedPlaces StringSplit StringSplitV2
tfc.ops.strings.tensor_ops: ParseTensor SerializeTensor
tfc.ops.strings.text_ops: AsString DecodeBase64 DecodeRaw EncodeBase64 ReduceJoin StringJoin
  StringLength StringLower StringStrip StringToNumber StringUpper Substr
tfc.ops.summary_ops: AudioSummaryV2 HistogramSummary ImageSummary MergeSummary ScalarSummary
  TensorSummaryV2
tfc.ops.unravel_ops: SelectV2 UnravelIndex
""")
