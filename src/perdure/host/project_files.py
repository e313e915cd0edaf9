"""Which files are the project's own: what its author wrote, not what is installed inside its folder.

Tracebacks, the watchdog and error pages ask here, so that they agree on whose frames a person gets to see. See
tests/cli/test_user_frames.py.
"""

from pathlib import Path

_NOT_THE_PROJECTS = frozenset({"site-packages", "dist-packages", ".venv", "venv"})


class ProjectFiles:
    """The files under the project's folder."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def __contains__(self, filename: str) -> bool:
        return self._inside(filename) is not None

    def shown(self, filename: str) -> str:
        """The file as a person names it: by its path in the project, if it is the project's."""
        inside = self._inside(filename)
        return filename if inside is None else str(inside)

    def _inside(self, filename: str) -> Path | None:
        try:
            inside = Path(filename).resolve().relative_to(self._root)
        except (ValueError, OSError):  # elsewhere; or no path at all, as of code that was made from text
            return None
        return None if _NOT_THE_PROJECTS.intersection(inside.parts) else inside
