"""Writes docs/errors/: one page per error code, made from the error classes, so that page and code cannot drift apart.

    python scripts/error_pages.py

tests/house/test_error_pages.py fails while a page is missing, stale or left over.
"""

import inspect
from pathlib import Path

from perdure.model import errors
from perdure.model.errors import PerdureError

FOLDER = Path("docs/errors")
MADE_BY = "<!-- Made by scripts/error_pages.py from the class; change its docstring, not this page. -->"


def error_classes() -> list[type[PerdureError]]:
    """Every public error class that has a code, in the order of the codes."""
    public = [getattr(errors, name) for name in errors.__all__]
    coded = [each for each in public if isinstance(each, type) and issubclass(each, PerdureError)]
    return sorted(coded, key=lambda kind: kind.code)


def pages() -> dict[str, str]:
    """File name -> text, for all of docs/errors."""
    made = {f"{kind.code}.md": page(kind) for kind in error_classes()}
    return {**made, "README.md": index(error_classes())}


def page(kind: type[PerdureError]) -> str:
    """What the reader of one line in a log wants to know: what it means, whether to retry, how to catch it."""
    lines = [MADE_BY, "", f"# {kind.code}", "", f"`{kind.__name__}`{_bases(kind)}"]
    lines += ["", inspect.cleandoc(kind.__doc__ or ""), "", "| question | answer |", "| --- | --- |"]
    lines += [f"| {question} | {answer} |" for question, answer in _answers(kind)]
    return "\n".join(lines) + "\n"


def index(kinds: list[type[PerdureError]]) -> str:
    """All codes on one page, each with the first sentence of what it means."""
    lines = [
        MADE_BY,
        "",
        "# Error codes",
        "",
        "Every error of Perdure has a code that never changes, and a text that says what happened, where, why and",
        "what to do. Decide by the class or by its attributes `retryable`, `overloaded` and `object_reset`,",
        "never by the text.",
        "",
        "| code | meaning |",
        "| --- | --- |",
    ]
    lines += [f"| [{kind.code}]({kind.code}.md) | {_first_line(kind)} |" for kind in kinds]
    return "\n".join(lines) + "\n"


def _first_line(kind: type[PerdureError]) -> str:
    return inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " ")


def _bases(kind: type[PerdureError]) -> str:
    names = [base.__name__ for base in kind.__bases__ if base is not Exception]
    return f", also caught as {_listed([f'`{name}`' for name in names])}" if names else ""


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _answers(kind: type[PerdureError]) -> list[tuple[str, str]]:
    retry = "yes; whether the first call took effect is not known" if kind.retryable else "not for this error alone"
    if kind.overloaded:
        retry = "only after backing off: a retry at once adds to the load"
    answers = [
        ("try again?", retry),
        ("was the object reset?", "yes; the next call starts it again" if kind.object_reset else "no"),
    ]
    own = [name for name in inspect.get_annotations(kind) if name not in inspect.get_annotations(PerdureError)]
    if own:
        answers.append(("attributes of its own", ", ".join(f"`{name}`" for name in own)))
    return answers


def main() -> None:
    made = pages()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{len(made)} pages in {FOLDER}")


if __name__ == "__main__":
    main()
