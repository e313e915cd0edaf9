"""What git would leave out, compared with git itself."""

import os
import shutil
import subprocess

import pytest

from perdure.config.git_ignore import is_ignored, repository_of

FILES = [
    ".dev.vars",
    ".dev.vars.x",
    "a/.dev.vars",
    "a/b/.env",
    "a/b/c/.env",
    ".env",
    ".env.local",
    "#x",
    "a b",
    "x]",
    "!y",
]
RULES = [
    ".dev.vars",
    ".dev.vars*",
    "/.dev.vars",
    "*.vars\n!.dev.vars",
    "a/",
    "a",
    "a/b",
    "a/*/.env",
    "a/**/.env",
    "**/.env",
    "**/b/.env",
    "a/**",
    "a/**\n!a/b/.env",
    "/*\n!/.env",
    "a/\n!a/.dev.vars",
    ".env/",
    ".en?",
    ".[e]nv",
    ".[!d]nv*",
    ".[d-f]nv",
    "#x",
    "\\#x",
    "\\!y",
    "a b",
    "a b  ",
    "x[]]",
    "*",
    "*\n!*",
    "*\n!*/\n!.env",
    "b/.env",
    "[",
    "**",
    "",
]


def git(folder, *arguments, text=""):
    place = {"HOME": str(folder), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    ran = subprocess.run(
        ["git", *arguments], cwd=folder, env=place, input=text, text=True, capture_output=True, check=False
    )
    return ran.stdout


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with all these files."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "a" / "b" / "c").mkdir(parents=True)
    git(folder, "init", "-q")
    for file in FILES:
        (folder / file).write_text("")
    return folder


@pytest.mark.skipif(shutil.which("git") is None, reason="compared with git itself")
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("folder", ["", "a"], ids=["above", "below"])
def test_a_file_is_left_out_where_git_leaves_it_out(repository, rules, folder):
    file = repository / folder / ".gitignore"
    file.write_text(rules + "\n")

    found = {file for file in FILES if is_ignored(repository / file, repository)}
    said = git(repository, "check-ignore", "-z", "--stdin", text="\0".join(FILES))
    file.unlink()

    assert found == set(filter(None, said.split("\0")))


def test_the_repository_is_the_nearest_folder_that_is_one(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / ".git").write_text("gitdir: elsewhere")

    assert repository_of(tmp_path / "a" / ".env") == tmp_path
    assert repository_of(tmp_path / "module" / ".env") == tmp_path / "module"


def test_what_only_this_clone_leaves_out_is_left_out(tmp_path):
    (tmp_path / ".git" / "info").mkdir(parents=True)
    (tmp_path / ".git" / "info" / "exclude").write_text(".env\n")

    assert is_ignored(tmp_path / ".env", tmp_path)
