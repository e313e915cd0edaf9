"""Data as JSON5."""

import re
from typing import Any

import json5


def json5_text(data: Any, **options: Any) -> str:
    """As `json5.dumps`, but for a NUL before a digit: what that writes, `\\00`, is no JSON5, and is refused as such."""
    return re.sub(r"(?<!\\)((?:\\\\)*)\\0", r"\1\\u0000", json5.dumps(data, **options))
