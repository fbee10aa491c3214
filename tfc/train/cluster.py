"""Clusters as programs describe them, and the devices that replicas put their ops on.

Everything runs in one process here: devices are names on ops.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfc.base import logging
from tfc.framework.device import DeviceSpec
from tfc.io.protos import message

STANDARD_PS_OPS = (
    "Variable", "VariableV2", "AutoReloadVariable", "MutableHashTable", "MutableHashTableV2",
    "MutableHashTableOfTensors", "MutableHashTableOfTensorsV2", "MutableDenseHashTable",
    "MutableDenseHashTableV2", "VarHandleOp", "BoostedTreesEnsembleResourceHandleOp",
    "BoostedTreesQuantileStreamResourceHandleOp", "ResourceConditionalAccumulator",
    "DecisionTreeResource",
)  # fmt: skip


class ClusterSpec:
    """Jobs, their tasks, and the address of each."""

    def __init__(self, cluster: Any):
        """cluster: from each job to a list of addresses or a dict from numbers to them; or a
        ClusterDef message, or a ClusterSpec.

        Raises:
          TypeError: it is none of them.
        """
        if isinstance(cluster, Mapping):
            self._jobs = {job: _tasks(job, tasks) for job, tasks in cluster.items()}
        elif isinstance(cluster, ClusterSpec):
            self._jobs = {job: dict(tasks) for job, tasks in cluster._jobs.items()}
        elif isinstance(cluster, message("ClusterDef")):
            self._jobs = {job.name: dict(job.tasks) for job in cluster.job}
        else:
            raise TypeError(
                "`cluster` must be a dictionary mapping one or more job names to lists of network "
                "addresses, or a `ClusterDef` protocol buffer"
            )
        for job, tasks in self._jobs.items():
            for place in (job, *tasks.values()):
                if not isinstance(place, str):
                    raise TypeError(f"names and addresses must be strings, not {place!r}")

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def __eq__(self, other: object) -> bool:
        return self._jobs == ClusterSpec(other)._jobs

    __hash__ = None  # type: ignore[assignment]  # as TensorFlow's

    def __repr__(self) -> str:
        return f"ClusterSpec({self.as_dict()!r})"

    def as_dict(self) -> dict[str, Any]:
        """From jobs to lists of addresses; to dicts where numbers are left out."""
        return {
            job: [tasks[i] for i in range(len(tasks))]
            if sorted(tasks) == list(range(len(tasks)))
            else dict(tasks)
            for job, tasks in self._jobs.items()
        }

    def as_cluster_def(self) -> Any:
        """The ClusterDef message, jobs and tasks in order."""
        proto = message("ClusterDef")()
        for job in sorted(self._jobs):
            proto.job.add(name=job, tasks=self._jobs[job])
        return proto

    @property
    def jobs(self) -> list[str]:
        """The names of the jobs."""
        return list(self._jobs)

    def _of(self, job_name: str) -> dict[int, str]:
        try:
            return self._jobs[job_name]
        except KeyError:
            raise ValueError(f"No such job in cluster: {job_name!r}") from None

    def num_tasks(self, job_name: str) -> int:
        """How many tasks a job has. Raises ValueError: there is no such job."""
        return len(self._of(job_name))

    def task_indices(self, job_name: str) -> list[int]:
        """The numbers of a job's tasks, in order. Raises ValueError: there is no such job."""
        return sorted(self._of(job_name))

    def task_address(self, job_name: str, task_index: int) -> str:
        """The address of a task. Raises ValueError: there is no such job or task."""
        try:
            return self._of(job_name)[task_index]
        except KeyError:
            raise ValueError(f"No task with index {task_index!r} in job {job_name!r}") from None

    def job_tasks(self, job_name: str) -> list[str | None]:
        """The addresses of a job's tasks, None for numbers left out. Raises ValueError: there is
        no such job."""
        tasks = self._of(job_name)
        return [tasks.get(i) for i in range(max(tasks, default=-1) + 1)]


def _tasks(job: Any, given: Any) -> dict[int, str]:
    if isinstance(given, Mapping):
        if not all(isinstance(i, int) for i in given):
            raise TypeError(f"the tasks of job {job!r} must be numbered")
        return dict(given)
    if isinstance(given, list | tuple):
        return dict(enumerate(given))
    raise TypeError(
        f"The tasks for job {job!r} must be a list or a dictionary from integers to strings."
    )


def replica_device_setter(
    ps_tasks: int = 0,
    ps_device: str = "/job:ps",
    worker_device: str = "/job:worker",
    merge_devices: bool = True,
    cluster: Any = None,
    ps_ops: Sequence[str] | None = None,
    ps_strategy: Callable[[Any], int] | None = None,
) -> Callable[[Any], str] | None:
    """A function for `tf.device` that puts variables on the tasks of one job in turn, and all else
    on another; None where there are no such tasks.

    cluster: a ClusterSpec, or what makes one, which says how many tasks ps_device has. ps_ops: the
    types of ops that go there. ps_strategy: the number of the task for an op.

    Raises:
      TypeError: cluster is no cluster, or ps_strategy cannot be called.
    """
    if cluster is not None:
        tasks = ClusterSpec(cluster).as_dict().get(str(DeviceSpec.from_string(ps_device).job))
        ps_tasks = len(tasks or ())
    if not ps_tasks:
        return None
    turns = itertools.cycle(range(ps_tasks))
    chosen = (lambda op: next(turns)) if ps_strategy is None else ps_strategy
    if not callable(chosen):
        raise TypeError("ps_strategy must be callable")
    if not merge_devices:
        logging.warning("It is recommended to set merge_devices=true in replica_device_setter")
    types = set(STANDARD_PS_OPS if ps_ops is None else ps_ops)

    def device_of(op: Any) -> str:
        if not merge_devices and op.device:
            return str(op.device)
        current = DeviceSpec.from_string(op.device or "")
        if not ps_device or op.type not in types:
            return current.merged_into(DeviceSpec.from_string(worker_device or "")).to_string()
        server = DeviceSpec.from_string(ps_device)
        if server.job and current.job in (None, server.job):
            server = server.replace(task=chosen(op))
        return current.merged_into(server).to_string()

    return device_of
