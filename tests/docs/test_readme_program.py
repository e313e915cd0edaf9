"""The README's program, typed by hand into an empty folder, does what the README shows."""

import re

from tests.docs.page import DOCS, blocks
from tests.examples.readme import curls_in
from tests.host.dev_process import DevProcess

README = DOCS.parent / "README.md"


def test_the_program_of_the_readme_runs_in_an_empty_folder(tmp_path):
    by_language = {block.language: block.text for block in blocks(README)}
    (main,) = re.findall(r'^main = "(.+)"$', by_language["toml"], re.MULTILINE)
    (tmp_path / main).write_text(by_language["python"])
    (tmp_path / "wrangler.toml").write_text(by_language["toml"])

    with DevProcess(tmp_path).wait_ready() as served:
        for step in curls_in(by_language["console"]):
            response = served.request(step.method, step.path, headers=step.headers, content=step.data)

            assert response.text == step.answer, step.line


def test_every_page_of_the_documents_can_be_found_from_the_readme():
    apart = {"decisions", "errors"}
    pages = {path for path in DOCS.rglob("*.md") if path.parent.name not in apart}
    found = {README}
    unread = [README]
    while unread:
        page = unread.pop()
        links = re.findall(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)", page.read_text())
        new = {(page.parent / link).resolve() for link in links} - found
        found |= new
        unread += new

    assert not {str(path.relative_to(DOCS)) for path in pages - found}
