"""Secrets: text like any other, except that looking at it by accident does not show it. See tests/model/test_secret.py."""


class Secret(str):
    """A str whose `repr` is masked, and only its `repr` (API-11).

    Containers, dataclasses and debuggers show `repr`, so a secret in them is not read over a shoulder; `str()`, f-strings
    and concatenation give the value, because that is what they are for.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        # A plain str, not self: what was asked for as text is text, and shows itself as that.
        return str.__str__(self[:])
