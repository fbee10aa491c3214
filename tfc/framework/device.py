"""Device names: accepted, merged and shown as TensorFlow shows them; nothing runs elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tfc.base.records import dataclass

_PART = re.compile(
    r"(job):([A-Za-z][\w]*)|(replica):(\d+|\*)|(task):(\d+|\*)|device:(\w+|\*):(\d+|\*)"
    r"|device:(\w+|\*)|(cpu|gpu|CPU|GPU):(\d+|\*)"
)


@dataclass(frozen=True)
class DeviceSpec:
    """The parts of a device name; None for those left open."""

    job: str | None = None
    replica: int | None = None
    task: int | None = None
    device_type: str | None = None
    device_index: int | None = None

    @staticmethod
    def from_string(spec: str) -> DeviceSpec:
        """Parse `/job:a/task:0/device:CPU:1` or `/cpu:0`; ValueError for anything else."""
        parts: dict[str, Any] = {}
        for part in spec.strip("/").split("/") if spec else []:
            match = _PART.fullmatch(part)
            if match is None:
                raise ValueError(f"Unknown attribute: '{part.split(':')[0]}' in '{spec}'")
            job, job_name, replica, r, task, t, kind, at, only, legacy, n = match.groups()
            if job:
                parts["job"] = job_name
            elif replica:
                parts["replica"] = _number(r)
            elif task:
                parts["task"] = _number(t)
            else:
                parts["device_type"] = (kind or only or legacy).upper()
                parts["device_index"] = _number(at or n)
        return DeviceSpec(**parts)

    def merged_into(self, other: DeviceSpec) -> DeviceSpec:
        """`other`, with the parts that this one names put in their place."""
        mine = {k: v for k, v in self.__dict__.items() if v is not None}
        return replace(other, **mine)

    def make_merged_spec(self, dev: DeviceSpec) -> DeviceSpec:
        """This one, with the parts that `dev` names put in their place."""
        return dev.merged_into(self)

    def replace(self, **kwargs: Any) -> DeviceSpec:
        """This one with other parts. Raises TypeError: there is no such part."""
        return replace(self, **kwargs)

    def to_string(self) -> str:
        text = ""
        if self.job is not None:
            text += f"/job:{self.job}"
        if self.replica is not None:
            text += f"/replica:{self.replica}"
        if self.task is not None:
            text += f"/task:{self.task}"
        if self.device_type is not None:
            index = "*" if self.device_index is None else self.device_index
            text += f"/device:{self.device_type}:{index}"
        return text


def _number(text: str | None) -> int | None:
    return None if text is None or text == "*" else int(text)


def merge_device(inner: Any) -> Callable[[Any], str]:
    """The device function for `inner` (a name, a DeviceSpec, or itself such a function)."""
    if callable(inner):
        return inner
    spec = inner if isinstance(inner, DeviceSpec) else DeviceSpec.from_string(inner or "")

    def merged(op: Any) -> str:
        return spec.merged_into(DeviceSpec.from_string(op.device)).to_string()

    return merged
