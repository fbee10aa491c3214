"""Numbers as TensorFlow writes them in messages and prints."""

from __future__ import annotations

from typing import Any

import numpy as np


def number_text(value: Any) -> str:
    """A number: truth as 1 and 0, a float by the fewest of two counts of digits that tell it from
    its neighbours, a complex number not at all."""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    kind = np.asarray(value).dtype
    if kind.kind == "c":
        return "?"
    if kind.kind in "iu":
        return str(int(value))
    wide = kind == np.float64
    few, many, same = (15, 17, np.float64) if wide else (6, 9, np.float32)
    text = f"{float(value):.{few}g}"
    return text if same(text) == value else f"{float(value):.{many}g}"
