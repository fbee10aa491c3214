"""The text file `checkpoint`, which says what checkpoints a folder holds, and its readers.

It is TensorFlow's own format: a CheckpointState message in protobuf's text form.
"""

from __future__ import annotations

import codecs
import glob
import logging
import os
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import field

from tfc.base.records import dataclass
from tfc.train.tensor_file import SUFFIX

_logger = logging.getLogger("tfc")
_FIELD = re.compile(r'\s*(\w+)\s*:\s*(?:"((?:[^"\\]|\\.)*)"|([-+.\w]+))\s*')


@dataclass
class CheckpointState:
    """What the file `checkpoint` says. Paths are prefixes, without `.safetensors`."""

    model_checkpoint_path: str = ""
    all_model_checkpoint_paths: list[str] = field(default_factory=list)
    all_model_checkpoint_timestamps: list[float] = field(default_factory=list)
    last_preserved_timestamp: float = 0.0

    def to_text(self) -> str:
        lines = [f"model_checkpoint_path: {_quote(self.model_checkpoint_path)}"]
        lines += [
            f"all_model_checkpoint_paths: {_quote(p)}" for p in self.all_model_checkpoint_paths
        ]
        lines += [
            f"all_model_checkpoint_timestamps: {t!r}" for t in self.all_model_checkpoint_timestamps
        ]
        if self.last_preserved_timestamp:
            lines.append(f"last_preserved_timestamp: {self.last_preserved_timestamp!r}")
        return "\n".join(lines) + "\n"

    @staticmethod
    def from_text(text: str) -> CheckpointState:
        """Raises ValueError where `text` is not a CheckpointState."""
        state, position = CheckpointState(), 0
        text = text.strip()
        while position < len(text):
            match = _FIELD.match(text, position)
            if match is None:
                raise ValueError(f"not a field: {text[position : position + 40]!r}")
            name, quoted, bare = match.groups()
            if name == "model_checkpoint_path" and quoted is not None:
                state.model_checkpoint_path = _unquote(quoted)
            elif name == "all_model_checkpoint_paths" and quoted is not None:
                state.all_model_checkpoint_paths.append(_unquote(quoted))
            elif name == "all_model_checkpoint_timestamps" and bare is not None:
                state.all_model_checkpoint_timestamps.append(float(bare))
            elif name == "last_preserved_timestamp" and bare is not None:
                state.last_preserved_timestamp = float(bare)
            else:
                raise ValueError(f"unexpected field: {match.group().strip()[:80]!r}")
            position = match.end()
        return state


def _quote(path: str) -> str:
    escaped = []
    for byte in path.encode("utf-8", "surrogateescape"):
        if byte in b'\\"':
            escaped.append("\\" + chr(byte))
        elif 0x20 <= byte < 0x7F:
            escaped.append(chr(byte))
        else:
            escaped.append(f"\\{byte:03o}")
    return '"' + "".join(escaped) + '"'


def _unquote(escaped: str) -> str:
    raw = codecs.escape_decode(escaped.encode("utf-8", "surrogateescape"))[0]
    assert isinstance(raw, bytes)
    return raw.decode("utf-8", "surrogateescape")


def generate_checkpoint_state_proto(
    save_dir: str,
    model_checkpoint_path: str,
    all_model_checkpoint_paths: Iterable[str] | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> CheckpointState:
    """The state for these checkpoints; relative to `save_dir` where that is a relative path.

    `model_checkpoint_path` is the newest and is made the last of all paths.
    """
    every = list(all_model_checkpoint_paths or ())
    if not every or every[-1] != model_checkpoint_path:
        every.append(model_checkpoint_path)
    if all_model_checkpoint_timestamps and len(all_model_checkpoint_timestamps) != len(every):
        raise ValueError("Checkpoint timestamps, if provided, must match checkpoint paths")
    if not os.path.isabs(save_dir):
        every = [p if os.path.isabs(p) else os.path.relpath(p, save_dir) for p in every]
    return CheckpointState(
        every[-1],
        every,
        list(all_model_checkpoint_timestamps or ()),
        last_preserved_timestamp or 0.0,
    )


def update_checkpoint_state(
    save_dir: str,
    model_checkpoint_path: str,
    all_model_checkpoint_paths: Iterable[str] | None = None,
    latest_filename: str | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
    *,
    save_relative_paths: bool = False,
) -> None:
    """Write the file `checkpoint` (or `latest_filename`) of `save_dir`, whole or not at all.

    Raises RuntimeError where that file is itself one of the checkpoints.
    """
    path = _state_file(save_dir, latest_filename)
    if path == model_checkpoint_path:
        raise RuntimeError(
            f"Save path '{model_checkpoint_path}' conflicts with path used for checkpoint state. "
            "Please use a different save path."
        )
    every = list(all_model_checkpoint_paths or ())
    if save_relative_paths:
        model_checkpoint_path = os.path.relpath(model_checkpoint_path, save_dir)
        every = [os.path.relpath(p, save_dir) for p in every]
        state = CheckpointState(
            model_checkpoint_path,
            every if every[-1:] == [model_checkpoint_path] else [*every, model_checkpoint_path],
            list(all_model_checkpoint_timestamps or ()),
            last_preserved_timestamp or 0.0,
        )
    else:
        state = generate_checkpoint_state_proto(
            save_dir,
            model_checkpoint_path,
            every,
            all_model_checkpoint_timestamps,
            last_preserved_timestamp,
        )
    partial = f"{path}.{uuid.uuid4().hex}.partial"
    with open(partial, "w", encoding="ascii") as file:
        file.write(state.to_text())
    os.replace(partial, path)


def get_checkpoint_state(
    checkpoint_dir: str | os.PathLike[str], latest_filename: str | None = None
) -> CheckpointState | None:
    """What the file `checkpoint` of a folder says, with relative paths made paths from here.

    None where there is no such file, or (with a logged warning) where it cannot be read.
    """
    folder = os.fspath(checkpoint_dir)
    path = _state_file(folder, latest_filename)
    if not os.path.exists(path):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            state = CheckpointState.from_text(file.read())
        if not state.model_checkpoint_path:
            raise ValueError("no field model_checkpoint_path")
    except (OSError, ValueError) as error:
        _logger.warning("%s: Checkpoint ignored: %s", path, error)
        return None
    state.model_checkpoint_path = os.path.join(folder, state.model_checkpoint_path)
    state.all_model_checkpoint_paths = [
        os.path.join(folder, p) for p in state.all_model_checkpoint_paths
    ]
    return state


def latest_checkpoint(
    checkpoint_dir: str | os.PathLike[str], latest_filename: str | None = None
) -> str | None:
    """The prefix of the newest checkpoint of a folder, to be given to `Saver.restore`; or None."""
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None:
        return None
    if not checkpoint_exists(state.model_checkpoint_path):
        _logger.error("Couldn't match files for checkpoint %s", state.model_checkpoint_path)
        return None
    return state.model_checkpoint_path


def checkpoint_exists(checkpoint_prefix: str | os.PathLike[str]) -> bool:
    """Whether there is a checkpoint of this prefix (which may hold the wildcards of `glob`)."""
    return bool(_files_of(os.fspath(checkpoint_prefix)))


def get_checkpoint_mtimes(checkpoint_prefixes: Iterable[str | os.PathLike[str]]) -> list[float]:
    """Times of last modification of those checkpoints that exist, in seconds since the epoch."""
    files = (_files_of(os.fspath(prefix)) for prefix in checkpoint_prefixes)
    return [os.path.getmtime(found[0]) for found in files if found]


def remove_checkpoint(
    checkpoint_prefix: str | os.PathLike[str],
    checkpoint_format_version: int = 2,
    meta_graph_suffix: str = "meta",
) -> None:
    """Delete the checkpoint of this prefix and the meta graph beside it; nothing happens where
    there is none.

    The format of checkpoints does not come in versions: checkpoint_format_version changes nothing.
    """
    prefix = os.fspath(checkpoint_prefix)
    for path in (prefix + SUFFIX, f"{prefix}.{meta_graph_suffix}"):
        if os.path.exists(path):
            os.unlink(path)


def _files_of(prefix: str) -> list[str]:
    if os.path.isfile(prefix + SUFFIX):
        return [prefix + SUFFIX]
    return sorted(glob.glob(prefix + SUFFIX))


def _state_file(folder: str, latest_filename: str | None) -> str:
    return os.path.join(folder, latest_filename or "checkpoint")
