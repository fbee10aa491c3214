"""`tf.resource_loader`: files that lie beside a program or in this package."""

from __future__ import annotations

import os
import sys

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def load_resource(path: str) -> bytes:
    """The content of a file, given by its path in this package. Raises OSError if there is none."""
    with open(os.path.join(_PACKAGE, path), "rb") as file:
        return file.read()


def _folder_of_caller() -> str:
    """The folder of the file that called the caller."""
    return os.path.dirname(os.path.abspath(sys._getframe(2).f_code.co_filename))


def get_data_files_path() -> str:
    """The folder of the file that calls this."""
    return _folder_of_caller()


def get_root_dir_with_all_resources() -> str:
    """The folder of the file that calls this."""
    return _folder_of_caller()


def get_path_to_datafile(path: str) -> str:
    """`path`, which is relative to the file that calls this, as an absolute one."""
    return os.path.join(_folder_of_caller(), path)


def readahead_file_path(path: str, readahead: str = "128M") -> str:
    """`path`: nothing is read ahead."""
    return path
