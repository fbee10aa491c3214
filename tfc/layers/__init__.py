"""`tf.layers`: the base class of layers, and the fully connected one."""

from tfc.layers.base import Layer
from tfc.layers.core import Dense
from tfc.layers.input_spec import InputSpec

__all__ = ["Dense", "InputSpec", "Layer"]
