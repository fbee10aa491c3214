"""`ConfigProto` and its relatives: the options that programs pass to a Session.

Fields are TensorFlow's. Those that mean something here are the thread counts (`intra_op_…`) and
`operation_timeout_in_ms`; the others are accepted, kept, and change nothing on one CPU device.
"""

from __future__ import annotations

from typing import Any

from tfc.base import errors


class _Message:
    """A protocol message as far as programs use one: known fields, settable, nested."""

    _fields: dict[str, Any] = {}

    def __init__(self, **values: Any):
        for name, default in self._fields.items():
            make = default if isinstance(default, type) else None
            self.__dict__[name] = make() if make else default
        for name, value in values.items():
            if name not in self._fields:
                raise ValueError(f'Protocol message {type(self).__name__} has no "{name}" field.')
            self.__dict__[name] = dict(value) if isinstance(value, dict) else value

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f'Protocol message {type(self).__name__} has no "{name}" field.')

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._fields:
            raise AttributeError(f'Protocol message {type(self).__name__} has no "{name}" field.')
        self.__dict__[name] = value

    def CopyFrom(self, other: _Message) -> None:
        """Take over every field of `other`, a message of the same type."""
        if type(other) is not type(self):
            raise TypeError(f"{type(self).__name__}.CopyFrom() takes a {type(self).__name__}")
        for name in self._fields:
            value = other.__dict__[name]
            if isinstance(value, _Message):
                fresh = type(value)()
                fresh.CopyFrom(value)
                value = fresh
            elif isinstance(value, (list, dict)):
                value = type(value)(value)
            self.__dict__[name] = value

    MergeFrom = CopyFrom

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # mutable, as protocol messages are

    def __repr__(self) -> str:
        changed = [
            f"{n}: {v!r}" for n, v in self.__dict__.items() if v != _default(self._fields[n])
        ]
        return "\n".join(changed)


def _default(default: Any) -> Any:
    return default() if isinstance(default, type) else default


class GPUOptions(_Message):
    """Options of GPU devices."""

    _fields = {
        "allow_growth": False,
        "per_process_gpu_memory_fraction": 0.0,
        "allocator_type": "",
        "deferred_deletion_bytes": 0,
        "visible_device_list": "",
        "polling_active_delay_usecs": 0,
        "polling_inactive_delay_msecs": 0,
        "force_gpu_compatible": False,
    }


class OptimizerOptions(_Message):
    """Options of graph rewriting."""

    L1, L0 = 0, -1
    DEFAULT, OFF, ON_1, ON_2 = 0, -1, 1, 2
    _fields = {
        "do_common_subexpression_elimination": False,
        "do_constant_folding": False,
        "do_function_inlining": False,
        "opt_level": 0,
        "global_jit_level": 0,
        "max_folded_constant_in_bytes": 0,
    }


class GraphOptions(_Message):
    """Options of a graph's execution."""

    _fields = {
        "optimizer_options": OptimizerOptions,
        "enable_recv_scheduling": False,
        "build_cost_model": 0,
        "build_cost_model_after": 0,
        "infer_shapes": False,
        "place_pruned_graph": False,
        "enable_bfloat16_sendrecv": False,
        "timeline_step": 0,
    }


class ConfigProto(_Message):
    """Options of a Session. `intra_op_parallelism_threads`: cores a kernel may use (0: all)."""

    _fields = {
        "device_count": dict,
        "intra_op_parallelism_threads": 0,
        "inter_op_parallelism_threads": 0,
        "use_per_session_threads": False,
        "placement_period": 0,
        "device_filters": list,
        "gpu_options": GPUOptions,
        "allow_soft_placement": False,
        "log_device_placement": False,
        "graph_options": GraphOptions,
        "operation_timeout_in_ms": 0,
        "isolate_session_state": False,
    }


class RunOptions(_Message):
    """Options of one `Session.run`."""

    NO_TRACE, SOFTWARE_TRACE, HARDWARE_TRACE, FULL_TRACE = range(4)
    _fields = {
        "trace_level": 0,
        "timeout_in_ms": 0,
        "inter_op_thread_pool": 0,
        "output_partition_graphs": False,
        "report_tensor_allocations_upon_oom": False,
    }


class RunMetadata(_Message):
    """What a `Session.run` reports about itself."""

    _fields = {"step_stats": None, "cost_graph": None, "partition_graphs": list}


def check_target(target: Any) -> None:
    """Raises TypeError unless `target` is a string, NotFoundError unless it names this process."""
    if target is not None and not isinstance(target, str | bytes):
        raise TypeError(f"target must be a string, but got {type(target)}")
    if target:
        raise errors.NotFoundError(
            None, None, f'No session factory registered for the target "{target!s}": sessions run '
            "in this process, whose target is empty"
        )  # fmt: skip
