"""Secrets in text for people: `***` in their place (API-11).

Must stay true: no known secret of 8 or more characters is in what a mask gives back, as it is or as a repr, JSON or a URL
writes it; shorter ones stay, for a word that is in every other line hides nothing. See tests/host/test_mask.py.
"""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

SECRET_CHARS_MIN = 8
HIDDEN = "***"


class Mask:
    """Hides these secrets. One without any gives every text back as it is."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings = {spelt for secret in secrets for spelt in _spellings(secret)}
        # The longest first: one secret may be the start of another.
        ordered = sorted(spellings, key=lambda spelt: (-len(spelt), spelt))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)


def _spellings(secret: str) -> set[str]:
    # `str()` first: a Secret's own repr is masked, and its value is what is looked for.
    value = str(secret)
    in_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    in_url = {quote(value, safe=safe, errors="replace") for safe in ("/", "")}
    # Of a key in several lines a traceback may show one.
    spellings = {value, repr(str(value))[1:-1], *in_json, *in_url, *value.splitlines()}
    return {spelt for spelt in spellings if len(spelt) >= SECRET_CHARS_MIN}
