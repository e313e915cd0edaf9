"""The console: plain lines, colours on a terminal only, and a reader that leaves harms nothing."""

import asyncio
import io
import os
import pty

import pytest

from perdure.cli.console import Console
from perdure.model.errors import ConfigError, WrongValue


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def say(out, err=None, *, method="GET", path="/x", status=200, took_ms=1.4):
    async def in_a_loop() -> None:
        Console(out, err or io.StringIO()).request_line(method, path, status, took_ms)
        await asyncio.sleep(0)

    asyncio.run(in_a_loop())


def test_a_request_is_one_line_of_method_path_status_and_time():
    out = io.StringIO()

    say(out, method="POST", path="/a%20b?c=1", status=404, took_ms=12.6)

    assert out.getvalue() == "POST /a%20b?c=1 404 13ms\n"


def test_a_request_that_broke_off_has_dashes_for_what_is_not_known():
    out = io.StringIO()

    say(out, method="", path="", status=0)

    assert out.getvalue() == "- - - 1ms\n"


def test_bytes_of_a_client_do_not_steer_the_terminal():
    out = io.StringIO()

    say(out, path="/\x9b31mred")

    assert out.getvalue() == "GET /\\x9b31mred 200 1ms\n"


def test_on_a_terminal_the_status_is_coloured():
    out = Terminal()

    say(out, status=500)

    assert "\x1b[31m500\x1b[0m" in out.getvalue()


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_no_colours_gets_none(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    out = Terminal()

    say(out)

    assert "\x1b" not in out.getvalue()


def test_lines_of_one_turn_of_the_loop_are_written_at_once():
    written: list[str] = []

    class Counting(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    async def in_a_loop() -> None:
        console = Console(Counting(), io.StringIO())
        for number in range(3):
            console.request_line("GET", f"/{number}", 200, 0)
        await asyncio.sleep(0)

    asyncio.run(in_a_loop())

    assert written == ["GET /0 200 0ms\nGET /1 200 0ms\nGET /2 200 0ms\n"]


def test_a_problem_stands_after_the_requests_before_it():
    both = io.StringIO()

    async def in_a_loop() -> None:
        console = Console(both, both)
        console.request_line("GET", "/", 500, 0)
        console.error("it broke")

    asyncio.run(in_a_loop())

    assert both.getvalue().splitlines() == ["GET / 500 0ms", "error: it broke"]


def test_a_refusal_has_what_where_why_and_the_next_step_on_its_own_line():
    err = io.StringIO()

    Console(io.StringIO(), err).refusal(WrongValue(what="no", where="here", why="because", next_step="do this"))

    assert err.getvalue().splitlines() == ["error: no (here)", "  because", "  next: do this"]


def test_a_bad_configuration_lists_all_its_problems():
    err = io.StringIO()

    Console(io.StringIO(), err).refusal(ConfigError(what="2 problems", where="wrangler.toml", problems=["one", "two"]))

    assert err.getvalue().splitlines() == ["error: 2 problems (wrangler.toml)", "  - one", "  - two"]


def test_a_reader_that_went_away_ends_the_talking_and_nothing_else():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out:
        os.close(reading)
        console = Console(out, io.StringIO())

        console.line("nobody hears this")
        console.line("nor this")


def test_a_real_terminal_is_recognised():
    try:
        leader, follower = pty.openpty()
    except OSError as error:
        pytest.skip(f"this machine gives out no terminals: {error}")
    with os.fdopen(follower, "w") as out:
        assert Console(out, io.StringIO()).coloured("x", "green") == "\x1b[32mx\x1b[0m"
    os.close(leader)
