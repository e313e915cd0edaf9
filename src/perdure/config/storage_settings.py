"""`[storage]`: how long the past of objects is kept, and how much of it. See tests/config/test_storage_settings.py."""

from collections.abc import Mapping
from typing import Any

from perdure.config.known_keys import PAST_BYTES_MAX, PAST_DAYS_MAX
from perdure.config.problem import Findings
from perdure.config.shape import table_at, wrong_shape
from perdure.config.snippet import Line, Section
from perdure.core.retention import DAY_MS, DAYS, Retention

_EXAMPLE = Section("storage", {"past_days": DAYS})


def read_retention(data: Mapping[str, Any], findings: Findings) -> Retention:
    """What is to be kept; what is wrong is reported."""
    if "storage" not in data:
        return Retention()
    section = table_at(("storage",), data["storage"], _EXAMPLE, findings)
    if section is None:
        return Retention()
    days = _number(section, "past_days", 1, PAST_DAYS_MAX, DAYS, findings)
    bytes_max = _number(section, "past_bytes", 0, PAST_BYTES_MAX, 10_000_000_000, findings)
    return Retention(DAY_MS * (DAYS if days is None else days), bytes_max)


def _number(
    section: Mapping[str, Any], key: str, lowest: int, highest: int, example: int, findings: Findings
) -> int | None:
    value = section.get(key)
    if key not in section or (type(value) is int and lowest <= value <= highest):
        return value
    wanted = f"a number from {lowest} to {highest}"
    wrong_shape(("storage", key), value, wanted, Line(key, example), findings)
    return None
