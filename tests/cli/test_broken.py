"""What clients are told when the project cannot be served: what is wrong and what to do, without secrets and without markup."""

import asyncio

from perdure.cli.broken import Broken
from perdure.host.mask import Mask
from perdure.model.errors import WrongType
from perdure.web import Request


def answered(broken, **headers):
    async def read():
        response = broken.answer(Request("http://localhost/", headers=headers))
        return response.status, response.headers.get("content-type"), await response.text()

    return asyncio.run(read())


ERROR = WrongType(what="no <b>", where="main.py", why="line 1\nof secret-secret", next_step="mend & save")


def test_a_browser_gets_a_page_in_which_nothing_of_the_project_is_markup():
    status, content_type, page = answered(Broken.of(ERROR, Mask()), accept="text/html,*/*")

    assert (status, content_type) == (503, "text/html; charset=utf-8")
    for part in ("<h1>no &lt;b&gt;</h1>", "main.py", "line 1\nof secret-secret", "mend &amp; save"):
        assert part in page


def test_others_get_it_as_text_with_the_next_step():
    status, content_type, text = answered(Broken.of(ERROR, Mask()))

    assert (status, content_type) == (503, "text/plain; charset=utf-8")
    assert text.startswith("The project cannot be served: no <b> (main.py)\nline 1\n")
    assert "mend & save" in text


def test_secrets_are_in_neither():
    broken = Broken.of(ERROR, Mask(["secret-secret"]))

    assert "secret-secret" not in broken.text() + broken.page()


def test_it_crosses_to_another_process_as_it_is():
    broken = Broken("what", "where", ("one", "two"), "why", "next")

    assert Broken.from_message(broken.to_message()) == broken
