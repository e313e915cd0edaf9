"""Reads of the tables on the loop's thread: each statement is read to its end before anything else happens.

So no read transaction outlives a call, no checkpoint waits for one, and a statement is prepared once. What is read has
passed its page's checksum; if it has not, the damage is named. See tests/store/test_contract.py and
tests/store/test_damage.py.
"""

from collections.abc import Generator
from typing import Any, NamedTuple

import apsw

from perdure.core.entry import Alarm, DeadAlarm, ObjectRecord
from perdure.core.key_range import KeyRange
from perdure.store.page_id import page_id

_GET = "SELECT value FROM kv WHERE generation = ? AND key = ?"
_RECORD = "SELECT generation, name, created_ms FROM object WHERE id = ?"
_ALARM = "SELECT at_ms, due_ms, retries, streak, error FROM alarm WHERE object = ?"
_ALARMS = (
    "SELECT object, at_ms, due_ms, retries, streak, error FROM alarm WHERE (due_ms, object) > (?, ?)"
    " ORDER BY due_ms, object LIMIT ?"
)
_DEAD_ALARMS = (
    "SELECT object, at_ms, died_ms, retries, error FROM dead_alarm WHERE (object, at_ms) > (?, ?)"
    " ORDER BY object, at_ms LIMIT ?"
)
_SCAN = "SELECT key, value FROM kv WHERE generation = ? AND key >= ? ORDER BY key LIMIT ?"
_SCAN_BELOW = "SELECT key, value FROM kv WHERE generation = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
_SCAN_BACK = "SELECT key, value FROM kv WHERE generation = ? AND key >= ? ORDER BY key DESC LIMIT ?"
_SCAN_BACK_BELOW = "SELECT key, value FROM kv WHERE generation = ? AND key >= ? AND key < ? ORDER BY key DESC LIMIT ?"
_PAGE = "SELECT body FROM page WHERE id = ?"
_RESTORING = "SELECT place FROM restoring WHERE object = ?"
_OWNER = "SELECT id, name FROM object WHERE generation = ?"

_REGISTRY = "SELECT id, generation, name, created_ms, written_ms FROM object INDEXED BY object_name"
_NAMED = f"{_REGISTRY} WHERE name >= ? ORDER BY name, id"
_NAMED_BELOW = f"{_REGISTRY} WHERE name >= ? AND name < ? ORDER BY name, id"
_UNNAMED = f"{_REGISTRY} WHERE name IS NULL AND id > ? ORDER BY id"
# Of a value only its length is looked at, which stands in front of it: a large one is not read.
_SIZE = "SELECT coalesce(sum(octet_length(key) + octet_length(value)), 0) FROM kv WHERE generation = ?"
_ROW_SIZE = "SELECT octet_length(key) + octet_length(value) FROM kv WHERE generation = ? AND key = ?"

_NO_LIMIT = -1


class RegistryRow(NamedTuple):
    """A row of the registry as the table has it."""

    object: bytes
    generation: int
    name: str | None
    created_ms: int
    written_ms: int


class Reader:
    """The tables of one store, through one connection, on one thread."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self._cursor = connection.cursor()

    def _all(self, statement: str, bindings: tuple[Any, ...]) -> list[Any]:
        return self._cursor.execute(statement, bindings).fetchall()

    def get(self, generation: int, key: str) -> bytes | None:
        rows = self._all(_GET, (generation, key))
        return rows[0][0] if rows else None

    def page(self, generation: int, number: int) -> bytes | None:
        rows = self._all(_PAGE, (page_id(generation, number),))
        return rows[0][0] if rows else None

    def scan(self, generation: int, keys: KeyRange, *, extra: int = 0) -> list[tuple[str, bytes]]:
        """The rows in that range, in its order, up to `extra` more than its limit."""
        limit = _NO_LIMIT if keys.limit is None else keys.limit + extra
        if keys.upper is None:
            statement = _SCAN_BACK if keys.reverse else _SCAN
            bindings: tuple[int | str, ...] = (generation, keys.lower, limit)
        else:
            statement = _SCAN_BACK_BELOW if keys.reverse else _SCAN_BELOW
            bindings = (generation, keys.lower, keys.upper, limit)
        return self._all(statement, bindings)

    def record(self, object: bytes) -> ObjectRecord | None:
        rows = self._all(_RECORD, (object,))
        return ObjectRecord(*rows[0]) if rows else None

    def alarm(self, object: bytes) -> Alarm | None:
        rows = self._all(_ALARM, (object,))
        return Alarm(*rows[0]) if rows else None

    def alarms(self, after: tuple[int, bytes], limit: int) -> list[tuple[bytes, Alarm]]:
        """The next ones after that (due_ms, object), in that order."""
        return [(object, Alarm(*alarm)) for object, *alarm in self._all(_ALARMS, (*after, limit))]

    def dead_alarms(self, after: tuple[bytes, int], limit: int) -> list[tuple[bytes, DeadAlarm]]:
        """The next ones after that (object, at_ms), in that order."""
        return [(object, DeadAlarm(*dead)) for object, *dead in self._all(_DEAD_ALARMS, (*after, limit))]

    def place_to_restore(self, object: bytes) -> int | None:
        rows = self._all(_RESTORING, (object,))
        return rows[0][0] if rows else None

    def owner(self, generation: int) -> tuple[bytes, str | None] | None:
        """The object whose rows are of that generation: (id, name). Looks at every object: for error messages only."""
        rows = self._all(_OWNER, (generation,))
        return rows[0] if rows else None

    def named(self, names: KeyRange) -> Generator[RegistryRow, None, None]:
        """The objects with a name in that range, in its order. Close it: until then the statement is open."""
        if names.upper is None:
            yield from self._registry(_NAMED, (names.lower,))
        else:
            yield from self._registry(_NAMED_BELOW, (names.lower, names.upper))

    def unnamed(self, after: bytes) -> Generator[RegistryRow, None, None]:
        """The objects without a name and with a greater id, by id. Close it, as `named`."""
        yield from self._registry(_UNNAMED, (after,))

    def _registry(self, statement: str, bindings: tuple[Any, ...]) -> Generator[RegistryRow, None, None]:
        cursor = self.connection.cursor()
        try:
            for row in cursor.execute(statement, bindings):
                yield RegistryRow(*row)
        finally:
            cursor.close()

    def size_bytes(self, generation: int) -> int:
        """Of the keys and values of a generation."""
        size: int = self._all(_SIZE, (generation,))[0][0]
        return size

    def row_bytes(self, generation: int, key: str) -> int:
        """Of one key and its value; 0 if it is not there."""
        rows = self._all(_ROW_SIZE, (generation, key))
        return rows[0][0] if rows else 0

    def close(self) -> None:
        self.connection.close()
