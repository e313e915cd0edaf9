"""What a command makes beside its place, and puts there when it is whole: a backup, an export.

Must stay true: what is made is in a folder that nobody had before, so that two that make the same and whatever is there already
are left alone; a name is taken by one of them, and from another only if that was asked for; what a killed one left goes, and
nothing else. See tests/store/test_new_file.py.
"""

import contextlib
import errno
import fcntl
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from perdure.model.errors import WrongValue
from perdure.store.folders import sync_folder

_NAME_CHARS = 40
"""Of the name that the folder is to be recognized by; with up to four bytes each there is room for the rest."""

_SUFFIX = ".part"
_MARK = ".perdure"
"""In each such folder: it is ours."""

# What file systems say that have no links.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


@contextmanager
def folder_beside(place: Path) -> Iterator[Path]:
    """A new folder `NAME.XXXXXXXX.part` on the disk of `place`, which is removed with all that is in it.

    So are those that were left for this place when a process was killed.
    """
    prefix = f"{place.name[:_NAME_CHARS]}."
    for left in place.parent.glob(f"{glob.escape(prefix)}????????{_SUFFIX}"):
        _remove_left(left)
    folder = Path(mkdtemp(prefix=prefix, suffix=_SUFFIX, dir=place.parent))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # where there are no locks, what is left stays
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Only now: without it nobody takes the folder for one that was left.
        (folder / _MARK).touch()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _remove_left(folder: Path) -> None:
    """Unless somebody is at work in it, or it is none of ours."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if (folder / _MARK).is_file():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return
    finally:
        os.close(lock)


@contextmanager
def new_file(file: Path, *, replace: bool) -> Iterator[Path]:
    """A path to make it at, in a folder of its own; when the block ends it has its name, on disk.

    Raises WrongValue, before the block and after it, for a folder of that name, and for anything unless `replace` is given;
    UnicodeEncodeError for a name that is no UTF-8.
    """
    file = file.absolute()
    _check(file, replace=replace)
    with folder_beside(file) as folder:
        made = folder / "made"
        yield made
        _put(made, file, replace=replace)
    sync_folder(file.parent)


def _check(file: Path, *, replace: bool) -> None:
    str(file).encode()  # SQLite is to write beside it, and takes no names that are no UTF-8
    if file.is_dir():
        raise WrongValue(what=f"{file.name or file} is a folder", where=str(file), next_step="give the name of a file")
    if not replace and os.path.lexists(file):
        raise WrongValue(
            what=f"{file.name} is there already",
            where=str(file),
            next_step="give another name, or --force to replace it; in Python, delete it first",
        )


def _put(made: Path, file: Path, *, replace: bool) -> None:
    if not replace:
        try:
            os.link(made, file)
            return
        except OSError as error:
            if error.errno not in (errno.EEXIST, *_NO_LINKS):
                raise
    _check(file, replace=replace)
    os.replace(made, file)
