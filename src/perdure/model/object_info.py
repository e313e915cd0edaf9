"""What a listing says of one object. Its fields are those of the registry, and whether the object is in memory.

See tests/workers/test_namespace_list.py.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from perdure.model.object_id import ObjectId


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One row of the registry, as `Namespace.list` gives it."""

    class_name: str
    name: str | None
    """The name that it was first written under; None for one that was reached by a bare id, or by a name of more than
    1,024 bytes in UTF-8."""
    id: ObjectId
    created: datetime
    """Aware, UTC; as all times here."""
    last_written: datetime
    bytes: int
    """Of its keys and values, without undo data."""
    alarm: datetime | None
    """When it will be woken."""
    sockets: int
    """WebSockets that are connected to it."""
    state: Literal["stored", "live"]
    """`live`: in memory when it was listed."""
