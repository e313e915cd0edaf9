"""Why a project cannot be served, for the clients of `perdure dev`: as text, and as a page for browsers.

Must stay true: no secret of the project is in either; what of the project is in the page is no markup. See
tests/cli/test_broken.py.
"""

from dataclasses import asdict, dataclass
from html import escape

from perdure.cli.error_page import PAGE_HEADERS, html_page, wants_page
from perdure.host.mask import Mask
from perdure.model.errors import ConfigError, PerdureError
from perdure.web import Request, Response

HEADING = "The project cannot be served"
NEXT_STEP = "Mend it: perdure dev loads the project again when a file of it changes."


@dataclass(frozen=True, slots=True)
class Broken:
    """What is wrong, in the order in which it is to be read."""

    what: str
    where: str = ""
    problems: tuple[str, ...] = ()
    why: str = ""
    next_step: str = ""

    @staticmethod
    def of(error: PerdureError, mask: Mask) -> "Broken":
        problems = error.problems if isinstance(error, ConfigError) else ()
        return Broken(
            mask(error.what),
            mask(error.where),
            tuple(mask(str(problem)) for problem in problems),
            mask(error.why),
            mask(error.next_step),
        )

    def to_message(self) -> dict[str, object]:
        return asdict(self)

    @staticmethod
    def from_message(message: dict[str, object]) -> "Broken":
        said = {name: str(text) for name, text in message.items() if name != "problems"}
        problems = message["problems"]
        return Broken(**said, problems=tuple(map(str, problems)) if isinstance(problems, list | tuple) else ())

    def answer(self, request: Request) -> Response:
        """503, which asks the client to come again in a second."""
        headers = {"cache-control": "no-store", "retry-after": "1", "connection": "close"}
        if wants_page(request):
            return Response(self.page().encode("utf-8", "replace"), 503, headers=headers | PAGE_HEADERS)
        headers["content-type"] = "text/plain; charset=utf-8"
        return Response(self.text().encode("utf-8", "replace"), 503, headers=headers)

    def text(self) -> str:
        head = f"{self.what} ({self.where})" if self.where else self.what
        lines = [f"{HEADING}: {head}", *(f"  - {problem}" for problem in self.problems)]
        lines += [part for part in (self.why.strip("\n"), self.next_step, NEXT_STEP) if part]
        return "\n".join(lines) + "\n"

    def page(self) -> str:
        parts = [
            f'<p class="request">{HEADING}</p>',
            f"<h1>{escape(self.what)}</h1>",
            *(f"<p>{escape(text)}</p>" for text in (self.where, *self.problems) if text),
        ]
        if self.why:
            parts.append(f'<pre class="note">{escape(self.why.strip(chr(10)))}</pre>')
        next_steps = " ".join(filter(None, (self.next_step, NEXT_STEP)))
        parts.append(f'<p class="next">{escape(next_steps)}</p>')
        return html_page(HEADING, *parts)
