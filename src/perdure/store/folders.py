"""The folders of namespaces follow the catalog: made after the row, removed after its deletion, mended at start.

A crash between the two leaves a folder without a row, which is swept at the next start, or a row without a folder,
which gets an empty one; never a row whose data went. Every change is synced with the directory that holds it. See
tests/store/test_data_folder.py.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from perdure.store.crash_point import At, CrashPoint

NAMESPACES = "namespaces"
SHARE = "0"
"""The one share that a namespace has on one machine with one loop."""


class Folders:
    """The namespaces' folders below one data folder. Blocks: call it as a job."""

    def __init__(self, data_folder: Path, at: At) -> None:
        self._namespaces = data_folder / NAMESPACES
        self._at = at

    def of_store(self, namespace_id: str) -> Path:
        return self._namespaces / namespace_id / SHARE

    def follow(self, namespace_ids: Iterable[str]) -> None:
        """Makes what is missing and removes what belongs to no namespace any more."""
        wanted = set(namespace_ids)
        make_folder(self._namespaces)
        found = {entry.name for entry in os.scandir(self._namespaces) if entry.is_dir()}
        for namespace_id in sorted(wanted):
            if not self.of_store(namespace_id).is_dir():
                self._at(CrashPoint.BEFORE_FOLDER_MADE)
                make_folder(self.of_store(namespace_id))
                self._at(CrashPoint.AFTER_FOLDER_MADE)
        for namespace_id in sorted(found - wanted):
            self._at(CrashPoint.BEFORE_FOLDER_REMOVED)
            shutil.rmtree(self._namespaces / namespace_id)
            sync_folder(self._namespaces)
            self._at(CrashPoint.AFTER_FOLDER_REMOVED)


def make_folder(folder: Path) -> None:
    """Makes it and what is missing above it, each on disk when this returns."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
