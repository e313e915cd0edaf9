"""`--log-format json`: a program reads one object a line, whatever happens."""

import asyncio
import io
import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.cli.json_console import JsonConsole
from perdure.cli.log_lines import LogLines
from perdure.host.mask import Mask
from perdure.model.errors import ConfigError, WrongValue


def said(talk, *, secrets: tuple[str, ...] = ()) -> list[dict]:
    out, err = io.StringIO(), io.StringIO()
    console = JsonConsole(out, err)
    console.mask = Mask(secrets)

    async def in_a_loop() -> None:
        talk(console)
        await asyncio.sleep(0)

    asyncio.run(in_a_loop())
    assert err.getvalue() == ""
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_request_is_an_object_with_its_parts():
    (line,) = said(lambda console: console.request_line("GET", "/a?b=c", 200, 1.23456))

    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "event": "request",
        "message": "GET /a?b=c 200",
        "method": "GET",
        "path": "/a?b=c",
        "status": 200,
        "duration_ms": 1.235,
    }


def test_the_ready_line_has_the_url():
    (line,) = said(lambda console: console.ready("http://localhost:8787"))

    assert (line["event"], line["url"]) == ("ready", "http://localhost:8787")


def test_an_error_in_a_log_has_its_traceback_as_text():
    def talk(console):
        with LogLines(console, Path("/project")):
            try:
                raise ValueError("no such row")
            except ValueError:
                logging.getLogger("perdure.object").exception("it failed")

    (line,) = said(talk)

    assert (line["event"], line["level"], line["message"]) == ("record", "error", "it failed")
    assert line["logger"] == "perdure.object"
    assert "ValueError: no such row" in line["traceback"]


def test_a_failed_request_is_one_object():
    (line,) = said(lambda console: console.failure("GET /x failed", "Traceback ...\nKeyError: 1\n"))

    assert (line["event"], line["level"], line["traceback"]) == ("failure", "error", "Traceback ...\nKeyError: 1\n")


def test_a_refusal_has_code_and_next_step():
    (line,) = said(lambda console: console.refusal(WrongValue(what="no", where="here", why="so", next_step="do this")))

    assert (line["code"], line["message"]) == ("PERDURE_WRONG_VALUE", "no")
    assert (line["where"], line["why"], line["next_step"]) == ("here", "so", "do this")


def test_a_bad_configuration_lists_all_its_problems():
    error = ConfigError(what="2 problems", where="wrangler.toml", problems=["one", "two"])

    assert said(lambda console: console.refusal(error))[0]["problems"] == ["one", "two"]


def test_blank_lines_are_for_people():
    assert said(lambda console: console.line()) == []


@pytest.mark.parametrize("secret", ['with "quotes" in it', "new\nline in the middle", "ünïcödé and more"])
def test_secrets_are_masked_as_json_writes_them_too(secret):
    (line,) = said(lambda console: console.error(f"it was {secret}!"), secrets=(secret,))

    assert line["message"] == "it was ***!"


@given(text=st.text(st.characters(codec=None)))
def test_any_text_is_one_line(text):
    lines = said(lambda console: (console.error(text), console.request_line("GET", text, 200, 1.0)))

    assert [line["event"] for line in lines] == ["message", "request"]
