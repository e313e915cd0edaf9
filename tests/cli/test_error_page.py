"""The answer to an error that nobody caught: a page that leads to the line, without secrets and without markup of others."""

import asyncio
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.cli.error_page import FRAMES_MAX, PLAIN_HEADER, ErrorPages
from perdure.host.mask import Mask
from perdure.model.errors import Overloaded, WrongType
from perdure.web import Request
from tests.cli.test_user_frames import raised_by

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def answered(error, root, *, headers=BROWSER, url="http://localhost/x", secrets=()):
    async def read():
        response = ErrorPages(root, Mask(secrets)).answer(error, Request(url, headers=headers))
        return response.status, response.headers.get("content-type"), await response.text()

    return asyncio.run(read())


def page_of(error, root, **options) -> str:
    _, content_type, text = answered(error, root, **options)
    assert content_type == "text/html; charset=utf-8"
    return text


def test_a_browser_gets_a_page_with_the_error_the_request_and_the_lines_around(tmp_path):
    error = raised_by(
        tmp_path / "main.py", "def work():\n    note = 1\n    json.loads('{')\n    return note\n\nwork()\n"
    )

    page = page_of(error, tmp_path)

    assert "JSONDecodeError: Expecting property name" in page
    assert "GET http://localhost/x &rarr; 500" in page
    assert "main.py:3 in work" in page
    assert '<span class="at">   3      json.loads(&#x27;{&#x27;)</span>' in page
    assert "    note = 1" in page
    assert "json/decoder.py" not in page


def test_the_frame_that_raised_comes_first(tmp_path):
    error = raised_by(tmp_path / "main.py", "def work():\n    json.loads('{')\n\nwork()\n")

    page = page_of(error, tmp_path)

    assert page.index("main.py:2 in work") < page.index("main.py:4 in &lt;module&gt;")


def test_an_error_of_perdure_shows_where_why_and_the_next_step(tmp_path):
    error = WrongType(what="no Response", where="fetch of main", why="it gave None", next_step="return Response(...)")

    page = page_of(error, tmp_path)

    assert "<h1>WrongType: no Response</h1>" in page
    assert "<p>fetch of main</p>" in page
    assert '<p class="next">return Response(...)</p>' in page


def test_causes_notes_and_members_of_groups_are_on_the_page(tmp_path):
    error = raised_by(
        tmp_path / "main.py",
        """
        try:
            json.loads("{")
        except ValueError as error:
            raise ExceptionGroup("two", [KeyError("left"), TypeError("right")]) from error
        """,
    )
    error.add_note("Remote traceback: elsewhere")

    page = page_of(error, tmp_path)

    for part in (
        "ExceptionGroup: two",
        "JSONDecodeError",
        "KeyError",
        "TypeError: right",
        "Remote traceback: elsewhere",
    ):
        assert part in page


@pytest.mark.parametrize(
    "headers",
    [{}, {"accept": "*/*"}, {"accept": "application/json"}, {**BROWSER, PLAIN_HEADER: "true"}],
)
def test_other_clients_and_those_that_want_none_get_the_traceback_as_text(tmp_path, headers):
    error = raised_by(tmp_path / "main.py", "raise ValueError('no')\n")

    status, content_type, text = answered(error, tmp_path, headers=headers)

    assert (status, content_type) == (500, "text/plain; charset=utf-8")
    assert text.startswith("Internal Server Error\n\nTraceback")
    assert 'main.py", line 1' in text
    assert "ValueError: no" in text


def test_an_overload_is_503_on_the_page_too(tmp_path):
    status, _, _ = answered(Overloaded(what="too much"), tmp_path)

    assert status == 503


@pytest.mark.parametrize("headers", [BROWSER, {}])
def test_secrets_are_in_neither(tmp_path, headers):
    secret = "sk-12345678"
    error = raised_by(tmp_path / "main.py", f"key = '{secret}'\nraise ValueError(f'bad key {{key}}')\n")
    error.add_note(f"it was {secret}")

    _, _, text = answered(error, tmp_path, headers=headers, url=f"http://localhost/x?key={secret}", secrets=[secret])

    assert secret not in text
    assert "bad key ***" in text


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)


@given(text=st.text(st.characters(codec=None)) | st.just("<script>alert(1)</script></pre>"))
def test_nothing_of_an_error_or_request_is_markup(text):
    error = ValueError(text)
    error.add_note(text)
    url = "http://localhost/" + text.encode("utf-8", "replace").decode()

    page = page_of(error, Path("/project"), url=url)

    tags = Tags()
    tags.feed(page)
    ours = {"html", "head", "meta", "title", "style", "body", "p", "h1", "h2", "pre", "span", "code"}
    assert tags.seen <= ours


def test_an_error_that_cannot_even_be_shown_is_answered(tmp_path):
    class Hostile(Exception):
        def __str__(self):
            raise RuntimeError("not me")

        def __repr__(self):
            raise RuntimeError("nor me")

        @property
        def overloaded(self):
            return False

    for headers in (BROWSER, {}):
        status, _, _ = answered(Hostile(), tmp_path, headers=headers)
        assert status == 500


def test_an_endless_recursion_shows_its_innermost_frames(tmp_path):
    error = raised_by(tmp_path / "main.py", "def again():\n    again()\n\nagain()\n")

    page = page_of(error, tmp_path)

    assert page.count('class="where"') == FRAMES_MAX
    assert "outer frames are left out" in page
