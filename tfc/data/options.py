"""tf.data.Options: how a dataset may be run. Elements are made one by one and in order, so options
change no result here; they are kept, checked, and joined as TensorFlow does."""

from __future__ import annotations

import functools
from typing import Any


class OptionsBase:
    """Attributes with a type each, None until they are set."""

    _kinds: dict[str, Any] = {}
    _values: dict[str, Any]

    def __init__(self) -> None:
        object.__setattr__(self, "_values", {})

    def __init_subclass__(cls) -> None:
        for name in cls._kinds:
            setattr(cls, name, property(functools.partial(_value, name)))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._kinds:
            raise AttributeError(f"Cannot set the property {name} on {type(self).__name__}.")
        kind = self._kinds[name]
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"Property {name!r} must be of type {kind}, got: {value!r}")
        self._values[name] = value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._set() == other._set()

    def __hash__(self) -> int:
        return hash(type(self))

    def _set(self) -> dict[str, Any]:
        """What has been set."""
        return {name: value for name, value in self._values.items() if value is not None}

    def _merged(self, other: Any) -> Any:
        found = type(self)()
        mine, theirs = self._set(), other._set()
        for name in {**mine, **theirs}:
            first, second = mine.get(name), theirs.get(name)
            if isinstance(first, OptionsBase) and isinstance(second, OptionsBase):
                value = first._merged(second)
            elif first is not None and second is not None and first != second:
                raise ValueError(
                    f"Cannot merge incompatible values ({first!r} and {second!r}) of option: {name}"
                )
            else:
                value = second if first is None else first
            found._values[name] = value
        return found


def _value(name: str, options: OptionsBase) -> Any:
    return options._values.get(name)


class DistributeOptions(OptionsBase):
    """How a dataset is spread over machines."""

    _kinds = {"auto_shard": bool, "num_devices": int}


class OptimizationOptions(OptionsBase):
    """Which rewrites of a dataset are wanted."""

    _kinds = {
        "apply_default_optimizations": bool,
        "autotune": bool,
        "autotune_algorithm": object,
        "autotune_buffers": bool,
        "autotune_cpu_budget": int,
        "filter_fusion": bool,
        "filter_with_random_uniform_fusion": bool,
        "hoist_random_uniform": bool,
        "map_and_batch_fusion": bool,
        "map_and_filter_fusion": bool,
        "map_fusion": bool,
        "map_parallelization": bool,
        "map_vectorization": object,
        "noop_elimination": bool,
        "parallel_batch": bool,
        "shuffle_and_repeat_fusion": bool,
    }


class ThreadingOptions(OptionsBase):
    """How many threads a dataset may use."""

    _kinds = {"max_intra_op_parallelism": int, "private_threadpool_size": int}


class Options(OptionsBase):
    """How a dataset may be run: `experimental_deterministic`, `experimental_slack`, and the groups
    `experimental_distribute`, `experimental_optimization` and `experimental_threading`."""

    _kinds = {
        "experimental_deterministic": bool,
        "experimental_distribute": DistributeOptions,
        "experimental_optimization": OptimizationOptions,
        "experimental_slack": bool,
        "experimental_stats": object,
        "experimental_threading": ThreadingOptions,
    }

    def __init__(self) -> None:
        super().__init__()
        self._values.update(
            experimental_distribute=DistributeOptions(),
            experimental_optimization=OptimizationOptions(),
            experimental_threading=ThreadingOptions(),
        )

    def merge(self, options: Any) -> Options:
        """The options of both. Raises ValueError if one is set to two values."""
        found: Options = self._merged(options)
        return found
