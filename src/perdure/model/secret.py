"""A secret's text, which does not show itself where values are merely looked at.

Must stay true: `repr` never holds the text; all else is the text, because it has to be sent somewhere (API-11). See
tests/model/test_secret.py.
"""


class Secret(str):
    """A `str` whose `repr` is masked, and only its `repr`: `str()`, f-strings and concatenation give the value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"
