"""Single keys on a terminal of `perdure dev`."""

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest

from perdure.cli.hotkeys_objects import object_lines, object_table
from tests.counted_lines import counting
from tests.host.dev_process import PATIENCE_S
from tests.host.projects import write_project

PERDURE = Path(sys.executable).with_name("perdure")


class Terminal:
    """`perdure dev` in front of a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self._ours, self.theirs = pty.openpty()
        self.before = termios.tcgetattr(self.theirs)
        in_front = [sys.executable, "-c", IN_FRONT, str(PERDURE), "dev", "--port", "0"]
        browser = {"BROWSER": f"{sys.executable} -c pass %s", "TERM": "xterm"}
        self.process = subprocess.Popen(
            in_front,
            cwd=folder,
            env={**os.environ, **counting(), **browser},
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            start_new_session=True,
        )
        self.said = ""

    def wait(self, pattern: str) -> str:
        ends = time.monotonic() + PATIENCE_S
        while not (found := re.search(pattern, self.said)):
            assert time.monotonic() < ends, f"no {pattern!r} in {self.said!r}"
            if select.select([self._ours], [], [], 0.1)[0]:
                self.said += os.read(self._ours, 4096).decode()
        self.said = self.said[found.end() :]
        return found[0]

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    @property
    def is_as_before(self) -> bool:
        return termios.tcgetattr(self.theirs) == self.before

    def close(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self.theirs)


# A session leader that opens its terminal has it as the controlling one, and is in front of it.
IN_FRONT = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


@pytest.fixture
def terminal(tmp_path):
    write_project(tmp_path)
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()


def test_keys_list_objects_reload_open_a_browser_and_end_it_and_the_terminal_is_as_before(terminal):
    terminal.wait("Keys: ")
    assert not terminal.is_as_before
    terminal.type("\x1b[A")  # an arrow, whose last letter is no key
    terminal.type("?")
    terminal.wait("Keys: ")
    terminal.type("o")
    terminal.wait("No object is in memory")
    terminal.type("R")
    terminal.wait("Reloaded in")
    terminal.type("b")
    terminal.wait("Opened http://localhost:")
    terminal.type("c")
    terminal.wait("\x1b\\[H\x1b\\[2J")
    terminal.type("q")

    assert terminal.process.wait(PATIENCE_S) == 0
    assert terminal.is_as_before


def test_a_second_ctrl_c_leaves_the_terminal_as_it_was_too(terminal):
    terminal.wait("Keys: ")

    terminal.type("\x03\x03")

    assert terminal.process.wait(PATIENCE_S) in (0, 130)
    assert terminal.is_as_before


def test_objects_are_shown_with_what_they_do_and_what_waits():
    answer = {
        "objects": [
            {
                "class": "Room",
                "name": "lobby",
                "id": "ab",
                "state": "running",
                "running": [{"event": "post", "for_s": 3.2}],
                "background": [],
                "queued": 2,
                "queued_for_s": 3.0,
                "slow": True,
            },
            {"class": "Room", "name": None, "id": "cd", "state": "idle", "running": [], "queued": 0, "slow": False},
        ],
        "objects_left_out": 5,
    }

    lines = [re.split(r"\s{2,}", line.strip()) for line in object_table(answer)]

    assert lines == [
        ["object", "state", "queued", "does"],
        ["Room/lobby", "running, slow", "2 for 3.0s", "post for 3.2s"],
        ["Room/cd", "idle", "0"],
        ["and 5 more"],
    ]


def test_a_server_that_does_not_answer_is_said():
    assert object_lines("http://127.0.0.1:1") != []
    assert object_lines("http://127.0.0.1:1")[0].startswith("The objects cannot be listed: ")
