"""How long a store keeps the past of its objects, and how much of it."""

from typing import Final, NamedTuple

DAY_MS: Final = 24 * 3_600 * 1_000
DAYS: Final = 30
"""As Cloudflare keeps it."""


class Retention(NamedTuple):
    """What is older, or more than fits, may be forgotten."""

    age_ms: int = DAYS * DAY_MS
    bytes_max: int | None = None
    """Of one store; None: as many as there are live, and 1 GiB in any case."""
