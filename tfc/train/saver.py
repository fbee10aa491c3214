"""`tf.train.Saver`: variables to and from checkpoint files, through the session that holds them.

A checkpoint is the file `PREFIX.safetensors`; the file `checkpoint` beside it is TensorFlow's. The
Saver adds nothing to the graph: it fetches the variables, and to restore them it runs their
initializers with the stored values fed in place of the initial ones. So it also works on a
finalized graph. `PREFIX.meta` is the graph with its collections, for `import_meta_graph`.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfc.base import errors, logging
from tfc.base.shapes import TensorShape
from tfc.framework.graph import get_default_graph
from tfc.framework.partitioned import PartitionedVariable
from tfc.io.protos import message
from tfc.train.checkpoint_state import (
    checkpoint_exists,
    get_checkpoint_mtimes,
    remove_checkpoint,
    update_checkpoint_state,
)
from tfc.train.tensor_file import SUFFIX, TensorFile, write_tensors

_PART_NUMBER = re.compile(r"/part_\d+$")
_MISSING = (
    "Restoring from checkpoint failed. This is most likely due to a Variable name or other graph "
    "key that is missing from the checkpoint. Please ensure that you have not altered the graph "
    "expected based on the checkpoint. Original error:\n\n"
)
_MISMATCH = (
    "Restoring from checkpoint failed. This is most likely due to a mismatch between the current "
    "graph and the graph from the checkpoint. Please ensure that you have not altered the graph "
    "expected based on the checkpoint. Original error:\n\n"
)


class Saver:
    """Saves and restores the variables in `var_list`."""

    def __init__(
        self,
        var_list: Mapping[str, Any] | Iterable[Any] | None = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
        restore_sequentially: bool = False,
        saver_def: None = None,
        builder: None = None,
        defer_build: bool = False,
        allow_empty: bool = False,
        write_version: int = 2,
        pad_step_number: bool = False,
        save_relative_paths: bool = False,
        filename: str | None = None,
    ):
        """`sharded`, `restore_sequentially`, `name`, `write_version` and `filename` say how
        TensorFlow lays out its files and save ops, of which tfc has none; they change nothing.

        Args:
          var_list: variables, or a dict from names in the file to variables; every global and
            saveable variable of the default graph where absent.
          reshape: restore into variables of another shape with as many elements.
          max_to_keep: how many of the newest checkpoints are kept; all, if 0 or None.
          keep_checkpoint_every_n_hours: one of those that would go is kept in each such span.
          defer_build: look for the variables only when `build` or `save` or `restore` is called.
          allow_empty: whether there may be no variables; `save` then does nothing.
          pad_step_number: write the step number with eight digits, so that names sort.
          save_relative_paths: write paths in `checkpoint` relative to its folder.

        Raises:
          ValueError: no variables, two of one name, or one of TensorFlow's own protos is given.
          TypeError: something in `var_list` is not a variable.
        """
        if saver_def is not None or builder is not None:
            raise ValueError("tfc's Saver has no ops: it takes no saver_def and no builder")
        if defer_build and var_list is not None:
            raise ValueError("If `var_list` is provided then build cannot be deferred.")
        self._var_list, self._reshape, self._allow_empty = var_list, reshape, allow_empty
        self._max_to_keep = max_to_keep
        self._keep_seconds = keep_checkpoint_every_n_hours * 3600
        self._next_kept = time.time() + self._keep_seconds
        self._pad, self._relative = pad_step_number, save_relative_paths
        self._last: list[tuple[str, float]] = []
        self._saving = threading.RLock()  # what is recorded last is the newest
        self._variables: dict[str, Any] | None = None
        if not defer_build:
            self.build()

    def build(self) -> None:
        """Find the variables. Raises as the constructor does."""
        var_list = self._var_list
        if var_list is None:
            graph = get_default_graph()
            var_list = [
                *graph.get_collection("variables"),
                *graph.get_collection("saveable_objects"),
            ]
        self._variables = _by_name(var_list)
        if not self._variables and not self._allow_empty:
            raise ValueError("No variables to save")

    def save(
        self,
        sess: Any,
        save_path: str | os.PathLike[str],
        global_step: Any = None,
        latest_filename: str | None = None,
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
        write_state: bool = True,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> str | None:
        """Write the variables' values in `sess` to a new checkpoint and delete what is too old.

        Args:
          save_path: prefix of the files.
          global_step: number, tensor or variable that is put after the prefix.
          latest_filename: name of the file beside the checkpoint, instead of `checkpoint`.
          write_state: whether to write that file.
          write_meta_graph: whether to write the graph, to the prefix, a dot and meta_graph_suffix;
            strip_default_attrs is about it. A graph that no GraphDef can hold is left out, which
            is logged.

        Returns:
          The checkpoint's prefix, or None where there are no variables.

        Raises:
          TypeError: `sess` is no session.
          ValueError: neither the folder nor the one that it would be made in exists, or the names
            collide.
          errors.FailedPreconditionError: a variable is not initialized.
        """
        _check_session(sess)
        latest_filename = latest_filename or "checkpoint"
        if os.path.split(latest_filename)[0]:
            raise ValueError("'latest_filename' must not contain path components")
        options = meta_graph_suffix, write_meta_graph, write_state, strip_default_attrs
        with self._saving:
            return self._save(sess, os.fspath(save_path), global_step, latest_filename, *options)

    def _save(
        self,
        sess: Any,
        save_path: str,
        global_step: Any,
        latest_filename: str,
        meta_graph_suffix: str,
        write_meta_graph: bool,
        write_state: bool,
        strip_default_attrs: bool,
    ) -> str | None:
        """`save`, one thread at a time: a step that is read later is recorded later."""
        if global_step is not None:
            step = _step_number(sess, global_step)
            prefix = f"{save_path}-{step:08d}" if self._pad else f"{save_path}-{step}"
        elif os.path.basename(save_path) == latest_filename:
            raise ValueError(
                f"'latest_filename' collides with 'save_path': '{latest_filename}' and "
                f"'{save_path}'"
            )
        else:
            prefix = save_path
        folder = os.path.dirname(save_path)
        if not _can_be_made(folder):
            raise ValueError(f"Parent directory of {save_path} doesn't exist, can't save.")
        variables = self._built()
        if not variables:
            return None
        values = _whole(variables, sess.run(variables))
        os.makedirs(folder or ".", exist_ok=True)
        write_tensors(prefix + SUFFIX, values)
        if write_meta_graph:
            self._write_graph(sess, f"{prefix}.{meta_graph_suffix}", strip_default_attrs)
        if write_state:
            gone = self._record(prefix)
            update_checkpoint_state(
                folder,
                prefix,
                self.last_checkpoints,
                latest_filename,
                save_relative_paths=self._relative,
            )
            for old in gone:
                remove_checkpoint(old, meta_graph_suffix=meta_graph_suffix)
        return prefix

    def _write_graph(self, sess: Any, path: str, strip_default_attrs: bool) -> None:
        try:
            with sess.graph.as_default():
                self.export_meta_graph(path, strip_default_attrs=strip_default_attrs)
        except TypeError as error:
            logging.warning("%s is not written: %s", path, error)

    def to_proto(self, export_scope: str | None = None) -> Any:
        """The options of this Saver as a SaverDef message."""
        return message("SaverDef")(
            max_to_keep=self._max_to_keep or 0,
            keep_checkpoint_every_n_hours=self._keep_seconds / 3600,
            version=2,
        )

    as_saver_def = to_proto

    def export_meta_graph(
        self,
        filename: str | os.PathLike[str] | None = None,
        collection_list: Sequence[str] | None = None,
        as_text: bool = False,
        export_scope: str | None = None,
        clear_devices: bool = False,
        clear_extraneous_savers: bool = False,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> Any:
        """The MetaGraphDef of the default graph with the options of this Saver, which is also
        written to `filename`. See `tf.train.export_meta_graph`."""
        from tfc.train.meta_graph import export_meta_graph

        return export_meta_graph(
            filename, None, None, self.to_proto(), collection_list, as_text, None, export_scope,
            clear_devices, clear_extraneous_savers, strip_default_attrs, save_debug_info,
        )  # fmt: skip

    def restore(self, sess: Any, save_path: str | os.PathLike[str]) -> None:
        """Give the variables the values of a checkpoint; they need not be initialized.

        Either every variable is restored or, where an error is raised before the first
        assignment, none is.

        Raises:
          TypeError: `sess` is no session.
          ValueError: `save_path` is no checkpoint.
          errors.NotFoundError: a variable is not in the checkpoint.
          errors.InvalidArgumentError: it is there with another type or shape.
          errors.DataLossError: the checkpoint is damaged.
        """
        variables = self._built()
        if not variables:
            return
        if save_path is None:
            raise ValueError("Can't load save_path when it is None.")
        save_path = os.fspath(save_path)
        if not checkpoint_exists(save_path):
            raise ValueError(f"The passed save_path is not a valid checkpoint: {save_path}")
        _check_session(sess)
        with TensorFile(save_path + SUFFIX) as file:
            stored = {name: _stored_name(name, v) for name, v in variables.items()}
            for name, variable in variables.items():
                self._check_stored(stored[name], variable, file)
            read = {name: file.read(name) for name in set(stored.values())}
            values = {name: _part(read[stored[name]], v) for name, v in variables.items()}
        for batch in _without_shared_initial_values(variables):
            feeds = {}
            for name, variable in batch.items():
                value = values[name]
                if self._reshape and variable.get_shape().is_fully_defined():
                    value = value.reshape(variable.get_shape().as_list())
                feeds[variable.initializer.inputs[1]] = value
            sess.run([v.initializer for v in batch.values()], feed_dict=feeds)

    def _check_stored(self, name: str, variable: Any, file: TensorFile) -> None:
        if name not in file.types:
            raise errors.NotFoundError(
                None, variable.op, f"{_MISSING}Key {name} not found in checkpoint"
            )
        dtype, shape = file.types[name]
        wanted = variable.dtype.base_dtype
        if dtype != wanted:
            raise errors.InvalidArgumentError(
                None,
                variable.op,
                f"{_MISMATCH}tensor_name = {name}; expected dtype {wanted.name} does not equal "
                f"original dtype {dtype.name}",
            )
        expected = variable.get_shape()
        if _slice_of(variable) is not None:
            expected = TensorShape(_slice_of(variable).full_shape)
        if self._reshape and expected.is_fully_defined():
            fits = int(np.prod(shape, dtype=object)) == expected.num_elements()
        else:
            fits = expected.is_compatible_with(shape)
        if not fits:
            raise errors.InvalidArgumentError(
                None,
                variable.op,
                f"{_MISMATCH}Assign requires shapes of both tensors to match. lhs shape= "
                f"{expected.as_list()} rhs shape= {list(shape)} [tensor_name = {name}]",
            )

    @property
    def last_checkpoints(self) -> list[str]:
        """Prefixes of the checkpoints that are kept, oldest first; for `set_last_checkpoints`."""
        return [prefix for prefix, _ in self._last]

    def set_last_checkpoints_with_time(self, last: Sequence[tuple[str, float]]) -> None:
        """Take these (prefix, time of saving) for the checkpoints written so far."""
        self._last = list(last)

    def set_last_checkpoints(self, last_checkpoints: Sequence[str]) -> None:
        """Take these prefixes for the checkpoints written so far; being of unknown age they count
        as new, so that `keep_checkpoint_every_n_hours` keeps them."""
        self._last = [(prefix, float("inf")) for prefix in last_checkpoints]

    def recover_last_checkpoints(self, checkpoint_paths: Sequence[str]) -> None:
        """Take those of `checkpoint_paths` that exist for the ones written so far.

        For a program that goes on after a restart: it keeps deleting what its predecessor wrote.
        """
        there = [path for path in checkpoint_paths if checkpoint_exists(path)]
        times = get_checkpoint_mtimes(there)
        self._last = list(zip(there, times, strict=True))

    def _built(self) -> dict[str, Any]:
        if self._variables is None:
            self.build()
        assert self._variables is not None
        return self._variables

    def _record(self, prefix: str) -> list[str]:
        """Note the new checkpoint; the prefixes of those that have to go."""
        if not self._max_to_keep:
            return []
        self._last = [entry for entry in self._last if entry[0] != prefix]
        self._last.append((prefix, time.time()))
        gone = []
        while len(self._last) > self._max_to_keep:
            old, saved_at = self._last.pop(0)
            if saved_at > self._next_kept:
                self._next_kept += self._keep_seconds
            else:
                gone.append(old)
        return gone


def _by_name(var_list: Mapping[str, Any] | Iterable[Any]) -> dict[str, Any]:
    if isinstance(var_list, Mapping):
        pairs = list(var_list.items())
    else:
        pairs = [(_name_of(variable), variable) for variable in var_list]
    named: dict[str, Any] = {}
    for name, variable in _parts_of(pairs):
        _name_of(variable)
        if name in named:
            raise ValueError(f"At least two variables have the same name: {name}")
        named[name] = variable
    seen: set[int] = set()
    for name, variable in sorted(named.items()):
        if id(variable) in seen:
            raise ValueError(f"The same saveable will be restored with two names: {name}")
        seen.add(id(variable))
    return dict(sorted(named.items()))


def _parts_of(pairs: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    """The pairs, with the parts of those variables that are in parts under names of their own."""
    for name, variable in pairs:
        if isinstance(variable, PartitionedVariable):
            yield from ((f"{name}/part_{i}", part) for i, part in enumerate(variable))
        else:
            yield name, variable


def _stored_name(name: str, variable: Any) -> str:
    """The name in the file: parts of one variable stand there as one, in its name."""
    info = _slice_of(variable)
    return name if info is None else _PART_NUMBER.sub("", name)


def _whole(variables: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored: values by name, parts put together."""
    stored: dict[str, Any] = {}
    for name, variable in variables.items():
        info, key = _slice_of(variable), _stored_name(name, variable)
        if info is None:
            stored[key] = values[name]
            continue
        array = np.asarray(values[name])
        whole = stored.setdefault(key, np.zeros(info.full_shape, array.dtype))
        whole[_place(info)] = array
    return stored


def _slice_of(variable: Any) -> Any:
    """Which part of a whole a variable is; None for a whole."""
    return getattr(variable, "_save_slice_info", None)


def _place(info: Any) -> tuple[slice, ...]:
    pairs = zip(info.var_offset, info.var_shape, strict=True)
    return tuple(slice(at, at + size) for at, size in pairs)


def _part(stored: np.ndarray, variable: Any) -> np.ndarray:
    info = _slice_of(variable)
    return stored if info is None else stored.reshape(info.full_shape)[_place(info)]


def _name_of(variable: Any) -> str:
    if isinstance(variable, PartitionedVariable):
        return variable.name
    if not (hasattr(variable, "initializer") and hasattr(variable, "op")):
        raise TypeError(f"Variable to save is not a Variable: {variable!r}")
    return variable.op.name


def _without_shared_initial_values(variables: dict[str, Any]) -> list[dict[str, Any]]:
    """The variables in batches, none of which holds two with one tensor as initial value.

    Such a tensor can be fed only one value in one run.
    """
    batches: list[dict[str, Any]] = []
    uses: dict[Any, int] = {}
    for name, variable in variables.items():
        initial = variable.initializer.inputs[1]
        turn = uses[initial] = uses.get(initial, -1) + 1
        if turn == len(batches):
            batches.append({})
        batches[turn][name] = variable
    return batches


def _can_be_made(folder: str) -> bool:
    """Whether the folder is there, or is all that is missing of its path: TensorFlow's writer of
    checkpoints makes one."""
    if os.path.lexists(folder or "."):
        return os.path.isdir(folder or ".")
    return os.path.isdir(os.path.dirname(folder.rstrip("/")) or ".")


def _check_session(sess: Any) -> None:
    if not (hasattr(sess, "run") and hasattr(sess, "graph")):
        raise TypeError(f"'sess' must be a Session; {sess}")


def _step_number(sess: Any, global_step: Any) -> int:
    if isinstance(global_step, (int, np.integer)):
        return int(global_step)
    return int(sess.run(global_step))
