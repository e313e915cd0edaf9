"""A traceback as the author of the project needs it: the frames of the project, without those of Perdure and the loop.

Must stay true: an exception is never shown without its type and text; when none of its frames is the project's, all are
shown, because then the fault may be ours; an error of Perdure's own says all in its text, also about what it came from.
See tests/cli/test_user_frames.py."""

import traceback
from collections.abc import Iterator
from pathlib import Path

from perdure.host.project_files import ProjectFiles
from perdure.model.errors import PerdureError

Part = tuple[BaseException, traceback.TracebackException]
"""One exception of a chain or group, and how it is shown."""


def user_traceback(error: BaseException, root: Path) -> str:
    """`error` and what caused it, each with the frames from files under `root`."""
    return "".join(shown_parts(error, root)[0][1].format())


def shown_parts(error: BaseException, root: Path) -> list[Part]:
    """`error` and then all that it came from or holds, each with the frames that are to be shown."""
    shown = traceback.TracebackException.from_exception(error, compact=True)
    files = ProjectFiles(root)
    parts: list[Part] = []
    for cause, part, explained in _chain(error, shown, explained=isinstance(error, PerdureError)):
        own = [frame for frame in part.stack if frame.filename in files]
        if own or explained:
            part.stack = traceback.StackSummary.from_list(own)
        parts.append((cause, part))
    return parts


def _chain(
    error: BaseException, shown: traceback.TracebackException, *, explained: bool
) -> Iterator[tuple[BaseException, traceback.TracebackException, bool]]:
    """Each exception, and whether it is an error of ours or the stated cause of one."""
    yield error, shown, explained
    if error.__cause__ is not None and shown.__cause__ is not None:
        of_ours = isinstance(error, PerdureError) or isinstance(error.__cause__, PerdureError)
        yield from _chain(error.__cause__, shown.__cause__, explained=of_ours)
    linked = [(error.__context__, shown.__context__)]
    if isinstance(error, BaseExceptionGroup):
        linked += zip(error.exceptions, shown.exceptions or (), strict=False)
    for cause, part in linked:
        if cause is not None and part is not None:
            yield from _chain(cause, part, explained=isinstance(cause, PerdureError))
