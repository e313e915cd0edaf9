"""A traceback as the author of the project needs it: the frames of the project, without those of Perdure and the loop.

Must stay true: an exception is never shown without its type and text; when none of its frames is the project's, all are
shown, because then the fault may be ours; an error of Perdure's own says all in its text. See tests/cli/test_user_frames.py."""

import traceback
from collections.abc import Iterator
from pathlib import Path

from perdure.model.errors import PerdureError

_NOT_THE_PROJECTS = frozenset({"site-packages", "dist-packages", ".venv", "venv"})


def user_traceback(error: BaseException, root: Path) -> str:
    """`error` and what caused it, each with the frames from files under `root`."""
    shown = traceback.TracebackException.from_exception(error, compact=True)
    prefix = root.resolve()
    for cause, part in _chain(error, shown):
        own = [frame for frame in part.stack if _is_of_project(frame.filename, prefix)]
        if own or isinstance(cause, PerdureError):
            part.stack = traceback.StackSummary.from_list(own)
    return "".join(shown.format())


def _chain(
    error: BaseException, shown: traceback.TracebackException
) -> Iterator[tuple[BaseException, traceback.TracebackException]]:
    yield error, shown
    linked = [(error.__cause__, shown.__cause__), (error.__context__, shown.__context__)]
    if isinstance(error, BaseExceptionGroup):
        linked += zip(error.exceptions, shown.exceptions or (), strict=False)
    for cause, part in linked:
        if cause is not None and part is not None:
            yield from _chain(cause, part)


def _is_of_project(filename: str, root: Path) -> bool:
    try:
        inside = Path(filename).resolve().relative_to(root)
    except ValueError:
        return False
    return not _NOT_THE_PROJECTS.intersection(inside.parts)
