"""A project folder to write a configuration into, and what reading it says."""

from pathlib import Path

import pytest

from perdure.config import Project, load_project
from perdure.model.errors import ConfigError

FINE = 'name = "w"\nmain = "main.py"\n'
"""Two lines with nothing wrong; what a test adds begins on line 3."""


class Folder:
    """A project's folder with a main module in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("main.py", "")

    def write(self, name: str, text: str | bytes) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def load(self, text: str | bytes) -> Project:
        self.write("wrangler.toml", text)
        return load_project(start=self.path)

    def problems(self, text: str | bytes) -> list[str]:
        """All that is wrong with this configuration."""
        with pytest.raises(ConfigError) as caught:
            self.load(text)
        return list(caught.value.problems)

    def problem(self, text: str | bytes) -> str:
        """The one thing that is wrong with it."""
        (problem,) = [each for each in self.problems(text) if not each.startswith("(warning)")]
        return problem

    def warning(self, text: str) -> str:
        """The one thing that is doubtful about it."""
        (warning,) = self.load(text).warnings
        return warning


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
