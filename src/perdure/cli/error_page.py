"""What a client of `perdure dev` gets for an exception that nobody caught: a page for a browser, a traceback as text for others.

Must stay true: nothing of the request or the error is markup in the page; no secret of the project is in either; whatever the
error is, there is an answer. See tests/cli/test_error_page.py.
"""

import linecache
import logging
from html import escape
from http import HTTPStatus
from pathlib import Path
from traceback import FrameSummary

from perdure.cli.user_frames import Part, shown_parts
from perdure.host.mask import Mask
from perdure.host.project_files import ProjectFiles
from perdure.model.errors import PerdureError
from perdure.web import Request, Response

# A client that sends this gets text although it takes pages: the name that test suites for such Workers send already.
PLAIN_HEADER = "mf-disable-pretty-error"
# Around the line that raised: enough to recognise the place.
LINES_AROUND = 4
# Of one exception, innermost ones: a recursion that ended for its depth has a thousand.
FRAMES_MAX = 30
# An error's text may hold all of a body; the traceback on the console has it whole.
HEADLINE_CHARS_MAX = 2_000

PAGE_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
}

_log = logging.getLogger("perdure.dev")

STYLE = """
:root { color-scheme: light dark; --dim: #777; --line: #8883; --hot: #e5484d; --hotline: #e5484d26; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; color: var(--hot); overflow-wrap: anywhere; white-space: pre-wrap; }
h2 { font-size: 1rem; margin: 2rem 0 .5rem; overflow-wrap: anywhere; white-space: pre-wrap; }
p { overflow-wrap: anywhere; white-space: pre-wrap; margin: .3rem 0; }
.request, .where { font-family: ui-monospace, monospace; font-size: .85rem; color: var(--dim); }
.next { border-left: 4px solid #30a46c; padding-left: .8rem; margin: 1rem 0; }
pre { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; padding: .5rem 0; margin: .3rem 0 1rem;
      font-size: .85rem; }
pre span { display: block; padding: 0 .8rem; }
pre .at { background: var(--hotline); font-weight: 600; }
pre.note { padding: .5rem .8rem; white-space: pre-wrap; }
"""


class ErrorPages:
    """Answers for what the handler of the project under `root` raised."""

    def __init__(self, root: Path, mask: Mask) -> None:
        self._root = root
        self._files = ProjectFiles(root)
        self._mask = mask

    def answer(self, error: BaseException, request: Request | None) -> Response:
        """500, or 503 if the error says that there is too much to do. Never raises."""
        status = 503 if getattr(error, "overloaded", False) is True else 500
        try:
            return self._answer(error, request, status)
        except Exception:  # an exception is user code too: what it does when it is looked at must not lose the answer
            _log.exception("an error could not be shown to the client")
            return Response(HTTPStatus(status).phrase, status)

    def _answer(self, error: BaseException, request: Request | None, status: int) -> Response:
        parts = shown_parts(error, self._root)
        headers = {"cache-control": "no-store"}
        if request is None or not wants_page(request):
            headers["content-type"] = "text/plain; charset=utf-8"
            text = f"{HTTPStatus(status).phrase}\n\n{''.join(parts[0][1].format())}"
            return Response(_encodable(self._mask(text)), status, headers=headers)
        headers |= PAGE_HEADERS
        return Response(_encodable(self._page(parts, request, status)), status, headers=headers)

    def _page(self, parts: list[Part], request: Request, status: int) -> str:
        title = self._text(_headline(parts[0]))
        return html_page(
            title,
            f'<p class="request">{self._text(f"{request.method} {request.url}")} &rarr; {status}</p>',
            f"<h1>{title}</h1>",
            *(section for index, part in enumerate(parts) for section in self._part(part, is_first=index == 0)),
        )

    def _part(self, part: Part, *, is_first: bool) -> list[str]:
        error, shown = part
        sections = [] if is_first else [f"<h2>Behind it: {self._text(_headline(part))}</h2>"]
        if isinstance(error, PerdureError):
            sections += [f"<p>{self._text(text)}</p>" for text in (error.where, error.why) if text]
            if error.next_step:
                sections.append(f'<p class="next">{self._text(error.next_step)}</p>')
        left_out = len(shown.stack) - FRAMES_MAX
        if left_out > 0:
            sections.append(f"<p>{left_out} outer frames are left out.</p>")
        # The line that raised first: it is what a reader looks for.
        for frame in list(reversed(shown.stack))[:FRAMES_MAX]:
            sections.append(self._frame(frame))
        notes = shown.__notes__ or ()
        sections += [f'<pre class="note">{self._text(str(note))}</pre>' for note in notes]
        return sections

    def _frame(self, frame: FrameSummary) -> str:
        where = f"{self._files.shown(frame.filename)}:{frame.lineno} in {frame.name}"
        head = f'<p class="where">{self._text(where)}</p>'
        at = frame.lineno or 0
        lines = linecache.getlines(frame.filename)
        first = max(1, at - LINES_AROUND)
        around = lines[first - 1 : at + LINES_AROUND] if 0 < at <= len(lines) else []
        if not around:
            return head
        # Masked as one text: a secret may go over several lines.
        masked = self._mask("".join(around)).splitlines()
        spans = []
        for number, line in enumerate(masked, first):
            here = ' class="at"' if number == at and len(masked) == len(around) else ""
            spans.append(f"<span{here}>{number:>4}  {escape(line)}</span>")
        return f"{head}<pre>{''.join(spans)}</pre>"

    def _text(self, text: str) -> str:
        return escape(self._mask(text))


def _headline(part: Part) -> str:
    error, shown = part
    if isinstance(error, PerdureError):
        return f"{type(error).__name__}: {error.what}"
    notes, shown.__notes__ = shown.__notes__, None  # they have a place of their own
    text = "".join(shown.format_exception_only()).strip()
    shown.__notes__ = notes
    return text if len(text) <= HEADLINE_CHARS_MAX else f"{text[:HEADLINE_CHARS_MAX]}…"


def html_page(title: str, *body: str) -> str:
    """A whole document, of markup."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + '\n<p class="request">Shown by perdure dev only. '
        f"Send the header <code>{PLAIN_HEADER}: true</code> for plain text.</p>\n</body></html>\n"
    )


def wants_page(request: Request) -> bool:
    """A browser does, unless it was told otherwise."""
    accepted = (request.headers.get("accept") or "").lower()
    plain = (request.headers.get(PLAIN_HEADER) or "").strip().lower()
    return "text/html" in accepted and plain in ("", "0", "false")


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
