"""`tf.data`: datasets and iterators; beside them the example data that come with the package."""

from tfc.data import experimental
from tfc.data.dataset import (
    AUTOTUNE,
    Dataset,
    get_output_classes,
    get_output_shapes,
    get_output_types,
    make_initializable_iterator,
    make_one_shot_iterator,
)
from tfc.data.iterators import Iterator
from tfc.data.options import Options
from tfc.data.readers import FixedLengthRecordDataset, TextLineDataset, TFRecordDataset
from tfc.data.structure import DatasetSpec

INFINITE_CARDINALITY, UNKNOWN_CARDINALITY = -1, -2
