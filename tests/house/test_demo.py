"""`make demo`: it posts the document's text, shows the answer, serves on, and leaves nothing behind when it is killed."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.examples.readme import curls

ROOT = Path(__file__).parents[2]
# Far more than it takes: a loaded machine must not fail a test that is right.
PATIENCE_S = 60.0


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


class Demo:
    """`make demo` with this Python and a folder of the test's own; `make` is its parent, as it is for people."""

    def __init__(self, data: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        command = ["make", "-o", "setup", "demo", f"python={sys.executable}", f"args=--port {port} --persist-to {data}"]
        self.make = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []

    def wait_line(self, text: str) -> str:
        assert self.make.stdout is not None
        for line in self.make.stdout:
            self.lines.append(line.rstrip("\n"))
            if text in line:
                return line.rstrip("\n")
        raise AssertionError(f"it ended without a line with {text!r}:\n" + "\n".join(self.lines))

    def wait_all_gone(self) -> str:
        """Until every process that could write to its output has ended; returns the rest of that output."""
        assert self.make.stdout is not None
        rest = self.make.stdout.read()
        self.make.stdout.close()
        self.make.wait(PATIENCE_S)
        return rest

    def kill_all(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.make.pid, signal.SIGKILL)
        self.make.wait(PATIENCE_S)
        assert self.make.stdout is not None
        self.make.stdout.close()


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[[], Demo]]:
    if shutil.which("make") is None:
        pytest.skip("this machine has no make")
    port = free_port()
    started: list[Demo] = []

    def start() -> Demo:
        started.append(Demo(tmp_path / "state", port))
        return started[-1]

    yield start

    for demo in started:
        if demo.make.stdout is not None and not demo.make.stdout.closed:
            demo.kill_all()


def test_the_demo_posts_the_documents_text_and_prints_answer_and_command(start_demo: Callable[[], Demo]) -> None:
    demo = start_demo()

    assert demo.wait_line("stored") == "127.0.0.1 stored important data!"
    command = demo.wait_line("--data")

    assert command.strip().startswith("curl -H 'content-type: text/plain' localhost:")
    assert command.strip().endswith("/hello --data 'important data!'")


def test_the_demo_serves_what_the_readme_says(start_demo: Callable[[], Demo]) -> None:
    demo = start_demo()
    demo.wait_line("--data")

    # ".." is the README of the whole project, seen from the examples.
    steps = curls("..")
    assert len(steps) == 2
    for step in steps:
        answer = httpx.request(step.method, demo.url + step.path, headers=step.headers, content=step.data)
        assert answer.text == step.answer, step.line


def test_what_was_posted_is_there_after_kill_9(start_demo: Callable[[], Demo]) -> None:
    demo = start_demo()
    demo.wait_line("--data")
    assert httpx.post(demo.url + "/kept", content="over kill -9").status_code == 200

    demo.kill_all()
    demo = start_demo()
    demo.wait_line("--data")

    assert httpx.get(demo.url + "/kept").text == "over kill -9"


def test_no_server_is_left_when_make_alone_is_killed(start_demo: Callable[[], Demo]) -> None:
    demo = start_demo()
    demo.wait_line("--data")

    demo.make.kill()
    demo.wait_all_gone()

    with pytest.raises(httpx.ConnectError):
        httpx.get(demo.url)


def test_ctrl_c_ends_it_without_a_traceback(start_demo: Callable[[], Demo]) -> None:
    demo = start_demo()
    demo.wait_line("curl localhost")

    os.killpg(demo.make.pid, signal.SIGINT)

    assert "Traceback" not in demo.wait_all_gone()


def test_a_port_that_is_taken_is_said_and_the_other_program_is_left_alone(start_demo: Callable[[], Demo]) -> None:
    first = start_demo()
    first.wait_line("curl localhost")

    second = start_demo()
    said = second.wait_all_gone()

    assert second.make.returncode != 0
    assert "stored" not in said
    assert "Traceback" not in said
