"""The names that mean something on objects and entry points: hooks in each spelling, and names that nobody may take.

The table "Reserved names" of the specification, held to it by tests/workers/test_class_spec.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

OBJECT_HOOKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "fetch": ("fetch", "on_fetch"),
        "alarm": ("alarm", "on_alarm"),
        "websocket_message": ("websocket_message", "webSocketMessage"),
        "websocket_close": ("websocket_close", "webSocketClose"),
        "websocket_error": ("websocket_error", "webSocketError"),
        "setup": ("setup",),
        "pre_shutdown": ("pre_shutdown", "preShutdown"),
    }
)
"""The hooks of an object class, each with its spellings."""

WORKER_HOOKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"fetch": ("fetch", "on_fetch"), "scheduled": ("scheduled", "on_scheduled")}
)
"""The handlers of a Worker: functions of its main module, or methods of an entry point."""

# fmt: off
RESERVED = frozenset(
    {
        "fetch", "alarm", "scheduled", "queue", "email", "tail", "trace", "test", "setup", "pre_shutdown",
        "websocket_message", "websocket_close", "websocket_error", "connect", "constructor", "dup", "then",
        "id", "name", "ctx", "env", "schema", "limits", "sockets_on_crash", "websocket_serial", "on_fetch",
        "on_alarm", "on_scheduled", "preShutdown", "webSocketMessage", "webSocketClose", "webSocketError",
    }
)
# fmt: on
"""None of these is callable over RPC, and a public method of such a name that is not a hook is an error at load."""
