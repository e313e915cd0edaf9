"""A traceback shows the project's frames, and never hides the error."""

import json
import textwrap
from pathlib import Path

import pytest

from perdure.cli.user_frames import user_traceback
from perdure.model.errors import WrongType


def raised_by(path: Path, source: str) -> BaseException:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(source))
    namespace: dict[str, object] = {"json": json}
    try:
        exec(compile(path.read_text(), str(path), "exec"), namespace)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_frames_outside_the_project_are_left_out(tmp_path):
    error = raised_by(tmp_path / "main.py", "def work():\n    json.loads('{')\n\nwork()\n")

    text = user_traceback(error, tmp_path)

    assert 'main.py", line 4' in text
    assert 'main.py", line 2, in work' in text
    assert "json/decoder.py" not in text
    assert __file__ not in text
    assert "JSONDecodeError: Expecting property name" in text


def test_causes_are_shown_with_their_own_frames(tmp_path):
    error = raised_by(
        tmp_path / "main.py",
        """
        try:
            json.loads("{")
        except ValueError as error:
            raise KeyError("outer") from error
        """,
    )

    text = user_traceback(error, tmp_path)

    assert "JSONDecodeError" in text
    assert "direct cause" in text
    assert text.rstrip().endswith("KeyError: 'outer'")
    assert "json/decoder.py" not in text


def test_every_error_of_a_group_is_shown(tmp_path):
    error = raised_by(tmp_path / "main.py", 'raise ExceptionGroup("two", [ValueError("one"), TypeError("other")])\n')

    text = user_traceback(error, tmp_path)

    assert "ValueError: one" in text
    assert "TypeError: other" in text


def test_notes_are_shown(tmp_path):
    error = raised_by(tmp_path / "main.py", "raise ValueError('x')\n")
    error.add_note("far side: main.py line 7")

    assert "far side: main.py line 7" in user_traceback(error, tmp_path)


@pytest.mark.parametrize("folder", [".venv/lib/python3.11/site-packages/other", "venv/other"])
def test_packages_installed_inside_the_project_are_not_the_project(tmp_path, folder):
    library = raised_by(tmp_path / folder / "library.py", "json.loads('{')\n")
    own = raised_by(tmp_path / "main.py", "raise ValueError('x')\n")
    own.__cause__ = library

    assert 'main.py", line 1' in user_traceback(own, tmp_path)
    assert "json/decoder.py" in user_traceback(library, tmp_path)  # nothing of the project's: all frames


def test_an_error_of_perdure_needs_no_frames_of_perdure(tmp_path):
    try:
        raise WrongType(what="a handler returned nothing", next_step="return a Response")
    except WrongType as error:
        text = user_traceback(error, tmp_path)

    assert text.splitlines() == ["perdure.model.errors.base.WrongType: a handler returned nothing; return a Response"]


def test_an_error_without_frames_of_the_project_shows_all_of_them(tmp_path):
    try:
        json.loads("{")
    except ValueError as error:
        assert "json/decoder.py" in user_traceback(error, tmp_path)
