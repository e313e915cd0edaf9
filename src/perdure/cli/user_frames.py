"""A traceback as the author of the project needs it: the frames of the project, without those of Perdure and the loop.

Must stay true: an exception is never shown without its type and text; when none of its frames is the project's, all are
shown, because then the fault may be ours. See tests/cli/test_user_frames.py."""

import traceback
from collections.abc import Iterator
from pathlib import Path

_NOT_THE_PROJECTS = frozenset({"site-packages", "dist-packages", ".venv", "venv"})


def user_traceback(error: BaseException, root: Path) -> str:
    """`error` and what caused it, each with the frames from files under `root`."""
    shown = traceback.TracebackException.from_exception(error, compact=True)
    prefix = root.resolve()
    for part in _chain(shown):
        own = [frame for frame in part.stack if _is_of_project(frame.filename, prefix)]
        if own:
            part.stack = traceback.StackSummary.from_list(own)
    return "".join(shown.format())


def _chain(error: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    yield error
    for linked in (error.__cause__, error.__context__, *(error.exceptions or ())):
        if linked is not None:
            yield from _chain(linked)


def _is_of_project(filename: str, root: Path) -> bool:
    try:
        inside = Path(filename).resolve().relative_to(root)
    except ValueError:
        return False
    return not _NOT_THE_PROJECTS.intersection(inside.parts)
