"""The peers: what each is installed from, in a virtual environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parents[2] / ".venv-peers"


@dataclass(frozen=True)
class Peer:
    """`packages`: what pip installs; `module`: what is imported, and has a version."""

    packages: tuple[str, ...]
    module: str


# CPU builds. PyTorch's is told from the others by its local version only, and pip finds it where it
# is set up with an index that has it; the build for GPUs, gigabytes, is not taken instead.
PEERS = {
    "jax": Peer(("jax", "numpy"), "jax"),
    "tensorflow": Peer(("tensorflow-cpu", "tf_keras"), "tensorflow"),
    "torch": Peer((os.environ.get("PEERS_TORCH", "torch==2.13.0+cpu"), "numpy"), "torch"),
    "numba": Peer(("numba", "numpy"), "numba"),
    "pytensor": Peer(("pytensor",), "pytensor"),
    "numpy": Peer(("numpy",), "numpy"),
}
PLOT = Peer(("matplotlib",), "matplotlib")  # draws the results; no peer


def python_of(name: str) -> Path:
    return HOME / name / "bin" / "python"


def install(name: str) -> str | None:
    """Install a peer where it is not yet; why it cannot be, or None."""
    folder, done = HOME / name, HOME / name / ".installed"
    if done.exists():
        return None
    print(f"installing {name}", flush=True)
    # a wheel index over the network may be slow, but pip ends by itself
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python_of(name)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         *(PLOT if name == "plot" else PEERS[name]).packages],
    ):  # fmt: skip
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            said = (result.stderr.strip() or "no message").splitlines()
            return f"pip: {said[-1].removeprefix('ERROR: ')}"
    done.touch()
    return None
