"""A text that is not in its format: one problem, which shows the line. See tests/config/test_syntax.py."""

from sys import get_int_max_str_digits


class SyntaxProblem(Exception):
    """The file is not in its format; a problem to report, raised from the parser to whoever reports."""

    def __init__(self, what: str, *, line: int | None = None, text: str = "", fix: str = "", snippet: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.line = line
        self.text = text
        """The line's text and, below it, a mark at the column."""
        self.fix = fix
        self.snippet = snippet


def number_too_long() -> SyntaxProblem:
    """What Python refuses to read, because the time that it takes grows with the square of the digits."""
    digits = get_int_max_str_digits()
    return SyntaxProblem(f"there is a number of more than {digits} digits in it", fix="write it as text, in quotes")


def marked(text: str, line: int, column: int) -> str:
    """That line of a text, with a mark below the column; both count from 1."""
    lines = text.split("\n")
    shown = lines[line - 1].replace("\t", " ") if line <= len(lines) else ""
    return f"{shown}\n{' ' * (column - 1)}^" if shown.strip() else ""
