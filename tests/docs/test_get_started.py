"""The first page is walked from top to bottom, as a person would: files written, commands run, requests made."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.docs.page import DOCS, Block, blocks
from tests.examples.readme import curls_in
from tests.host.dev_process import PATIENCE_S, PERDURE, DevProcess

SEED_SECTIONS = 5


class Reader:
    """Somebody in an empty folder who does what the page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.serves = False
        self.asked: list[str] = []
        self.ran: list[list[str]] = []

    def do(self, block: Block) -> None:
        if block.file:
            (self.folder / block.file).write_text(block.text)
        elif block.language == "sh":
            self._run(shlex.split(block.text))
        elif block.language == "console":
            self._ask(block.text)
        else:
            assert block.language == "text", f"nobody would know what to do with this:\n{block.text}"

    def _run(self, command: list[str]) -> None:
        self.ran.append(command)
        if command == ["perdure", "dev"]:
            self.serves = True
            return
        # The commands of this interpreter: a folder with none of them on the path must do.
        path = f"{PERDURE.parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    def _ask(self, console: str) -> None:
        """By a process for each block, which is killed after it: the page says that this loses nothing."""
        assert self.serves, "the page asks before it says to start anything"
        with DevProcess(self.folder).wait_ready() as served:
            for step in curls_in(console):
                response = served.request(step.method, step.path, headers=step.headers, content=step.data)
                self.asked.append(step.line)

                assert response.text == step.answer, step.line


def test_get_started_works_line_by_line(tmp_path):
    reader = Reader(tmp_path)

    for block in blocks(DOCS / "get-started.md"):
        reader.do(block)

    assert len(reader.asked) == 6
    assert [command[0] for command in reader.ran] == ["perdure", "perdure", "sed", "python"]


def test_each_main_module_on_the_way_is_one_that_perdure_takes(tmp_path):
    (configuration, *_) = [block.text for block in blocks(DOCS / "get-started.md") if block.file == "wrangler.toml"]
    modules = [block.text for block in blocks(DOCS / "get-started.md") if block.file == "main.py"]
    worker = "\n\ndef fetch():\n    return {}\n"  # what the first two do not have yet

    for number, module in enumerate(modules, 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "wrangler.toml").write_text(configuration)
        (folder / "main.py").write_text(module if "async def fetch(request" in module else module + worker)
        done = subprocess.run([PERDURE, "check"], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)

        assert done.returncode == 0, done.stdout + done.stderr
    assert len(modules) == 3


@pytest.mark.parametrize("number", range(1, SEED_SECTIONS + 1))
def test_get_started_has_the_sections_of_the_original(number):
    assert f"\n## {number}. " in (DOCS / "get-started.md").read_text()
