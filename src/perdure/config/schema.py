"""The schema by which editors complete and check a configuration; `python -m perdure.config.schema` writes it.

Must stay true: `schema.json` is what the declared keys say, it takes every configuration that is read without a problem, and
what it refuses by its shape is a problem as well. See tests/config/test_schema.py.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perdure.config.key import Anything, Key, ListOf, Number, Shape, Status, Table, Text, Values
from perdure.config.known_keys import KEYS

SCHEMA_FILE = Path(__file__).with_name("schema.json")
# The newest that the editors' language servers for JSON and for TOML have in common.
_DIALECT = "http://json-schema.org/draft-07/schema#"
_SAID = {
    Status.NOT_YET: " Understood, without effect so far.",
    Status.WITHOUT_MEANING: " Has no meaning here; it can be removed.",
}


def schema() -> dict[str, Any]:
    """The schema of a whole configuration."""
    return {
        "$schema": _DIALECT,
        "title": "Configuration of a Worker",
        **_table(KEYS),
    }


def _table(keys: Mapping[str, Key]) -> dict[str, Any]:
    required = [name for name, key in keys.items() if key.is_required]
    return {
        "type": "object",
        "properties": {name: _key(key) for name, key in keys.items()},
        **({"required": required} if required else {}),
        # A key that nobody knows is worth an underline, as it is worth a warning.
        "additionalProperties": False,
    }


def _key(key: Key) -> dict[str, Any]:
    return {"description": key.about + _SAID.get(key.status, ""), **_shape(key.shape)}


def _shape(shape: Shape) -> dict[str, Any]:
    match shape:
        case Text(pattern, chars_max, values):
            return {
                "type": "string",
                "minLength": 1,
                **({"maxLength": chars_max} if chars_max else {}),
                **({"pattern": f"^{pattern}$"} if pattern else {}),
                **({"enum": list(values)} if values else {}),
            }
        case Number(lowest, highest):
            return {"type": "integer", "minimum": lowest, "maximum": highest}
        case ListOf(items):
            return {"type": "array", "items": _shape(items)}
        case Table(keys):
            return _table(keys)
        case Values():
            return {"type": "object"}
        case Anything():
            return {}


def schema_text() -> str:
    """The schema as the file has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
