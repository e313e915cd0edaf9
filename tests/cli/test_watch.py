"""What counts as a change of a running project, and what does not."""

import sys
from pathlib import Path

import pytest

from perdure.cli import watch
from perdure.cli.watch import Watched, imported_files


@pytest.fixture
def watched(tmp_path):
    for folder in ("src/pages", "src/.git", "src/venv/lib", "src/own_env/lib", "src/__pycache__", "other"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "src" / "own_env" / "pyvenv.cfg").touch()
    config = tmp_path / "wrangler.toml"
    secrets = tmp_path / "secrets" / ".dev.vars"
    return Watched(
        (tmp_path / "src",), frozenset({config, secrets, tmp_path / "other" / "lib.py"}), frozenset({config})
    )


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ("src/main.py", True),
        ("src/pages/new.py", True),
        ("src/pages", True),
        ("wrangler.toml", True),
        ("secrets/.dev.vars", True),
        ("other/lib.py", True),
        ("other/else.py", False),
        ("src/notes.txt", False),
        ("src/__pycache__/main.cpython-311.pyc", False),
        ("src/.git/hook.py", False),
        ("src/venv/lib/package.py", False),
        ("main.py", False),
    ],
)
def test_python_files_below_the_main_modules_folder_and_named_files_count(watched, tmp_path, changed, counts):
    assert watched.counts(tmp_path / changed) is counts


def test_folders_of_named_files_and_of_the_tree_are_watched_and_environments_are_not(watched, tmp_path):
    found = {str(folder.relative_to(tmp_path)) for folder in watched.folders()}

    assert found == {".", "other", "src", "src/pages"}


def test_a_tree_of_any_size_takes_a_bounded_number_of_watches(watched, monkeypatch):
    monkeypatch.setattr(watch, "FOLDERS_MAX", 3)

    assert len(watched.folders()) == 3


def test_what_was_watched_is_the_same_in_the_other_process(watched):
    assert Watched.from_message(watched.to_message()) == watched


def test_imported_modules_count_if_they_are_no_part_of_an_installation():
    files = set(imported_files([]))

    assert Path(__file__) in files
    assert Path(pytest.__file__) not in files
    assert Path(watch.__file__) not in files
    assert not {file for file in files if file.is_relative_to(sys.base_prefix)}
