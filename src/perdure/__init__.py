"""Durable Objects for Python: named objects that exist once, handle one event at a time, and keep what they store.

Everything that programs import is here, by name; all else may move on any day. What needs a loop, a parser or SQLite is
imported when it is first asked for, so `import perdure` alone costs milliseconds. See tests/workers/test_front_door.py.
"""

import importlib
from typing import TYPE_CHECKING, Any

from perdure.model.errors import (
    AwaitInTransaction,
    BindingNotFound,
    BodyUsed,
    CallCycle,
    ConfigError,
    ConstraintFailed,
    ConstructorFailed,
    DataFolderLocked,
    Disconnected,
    EnvMismatch,
    ForkedChild,
    IntOutOfRange,
    InvalidId,
    LoadFailed,
    MethodNotFound,
    NaiveDatetime,
    NestedTooDeep,
    NoHandler,
    NotOneRow,
    ObjectAborted,
    ObjectReset,
    ObjectUnnamed,
    OutsideGate,
    Overloaded,
    PerdureError,
    RemoteError,
    ResultTooLarge,
    SchemaMismatch,
    SqlError,
    SqlInterrupted,
    StorageBroken,
    StorageBusy,
    StorageFull,
    StoreBroken,
    StoreTooNew,
    TimeLimitExceeded,
    TooLarge,
    TransactionEnded,
    UnitTooLarge,
    UnsupportedValue,
    ValueMismatch,
    WrongThread,
    WrongType,
    WrongValue,
)
from perdure.model.foreign import UNDEFINED, Map, Undefined
from perdure.model.limits import Limits
from perdure.model.object_id import ObjectId

if TYPE_CHECKING:
    from perdure.host.asgi import ASGIApp, asgi
    from perdure.host.clock import monotonic, now
    from perdure.host.embedded import Objects
    from perdure.host.log_context import LogContext
    from perdure.host.opening import Opening, open
    from perdure.host.runtime import Runtime
    from perdure.model.object_info import ObjectInfo
    from perdure.model.secret import Secret
    from perdure.model.value import Value
    from perdure.objects.alarms.alarm_info import AlarmInfo
    from perdure.objects.op import Op
    from perdure.objects.sql.cursor import Cursor, Row
    from perdure.objects.sql.schema import SchemaStep
    from perdure.objects.sql.sql_storage import SqlStorage, SqlValue
    from perdure.objects.storage.alarm import When
    from perdure.objects.storage.keys import Keys
    from perdure.objects.storage.kv import SyncKv
    from perdure.objects.storage.storage import Storage
    from perdure.objects.storage.transaction import Transaction
    from perdure.web.body import Body
    from perdure.web.form import File, FormData
    from perdure.web.headers import Headers, HeadersInit
    from perdure.web.query import Query
    from perdure.web.request import Request
    from perdure.web.response import Response
    from perdure.workers.durable_object import DurableObject
    from perdure.workers.entrypoint import WorkerEntrypoint
    from perdure.workers.env import Env
    from perdure.workers.execution_context import ExecutionContext
    from perdure.workers.namespace import Namespace
    from perdure.workers.state import State
    from perdure.workers.stub import Remote, Stub, stub_of

__all__ = [
    "UNDEFINED",
    "ASGIApp",
    "AlarmInfo",
    "AwaitInTransaction",
    "BindingNotFound",
    "Body",
    "BodyUsed",
    "CallCycle",
    "ConfigError",
    "ConstraintFailed",
    "ConstructorFailed",
    "Cursor",
    "DataFolderLocked",
    "Disconnected",
    "DurableObject",
    "Env",
    "EnvMismatch",
    "ExecutionContext",
    "File",
    "ForkedChild",
    "FormData",
    "Headers",
    "HeadersInit",
    "IntOutOfRange",
    "InvalidId",
    "Keys",
    "Limits",
    "LoadFailed",
    "LogContext",
    "Map",
    "MethodNotFound",
    "NaiveDatetime",
    "Namespace",
    "NestedTooDeep",
    "NoHandler",
    "NotOneRow",
    "ObjectAborted",
    "ObjectId",
    "ObjectInfo",
    "ObjectReset",
    "ObjectUnnamed",
    "Objects",
    "Op",
    "Opening",
    "OutsideGate",
    "Overloaded",
    "PerdureError",
    "Query",
    "Remote",
    "RemoteError",
    "Request",
    "Response",
    "ResultTooLarge",
    "Row",
    "Runtime",
    "SchemaMismatch",
    "SchemaStep",
    "Secret",
    "SqlError",
    "SqlInterrupted",
    "SqlStorage",
    "SqlValue",
    "State",
    "Storage",
    "StorageBroken",
    "StorageBusy",
    "StorageFull",
    "StoreBroken",
    "StoreTooNew",
    "Stub",
    "SyncKv",
    "TimeLimitExceeded",
    "TooLarge",
    "Transaction",
    "TransactionEnded",
    "Undefined",
    "UnitTooLarge",
    "UnsupportedValue",
    "Value",
    "ValueMismatch",
    "When",
    "WorkerEntrypoint",
    "WrongThread",
    "WrongType",
    "WrongValue",
    "asgi",
    "monotonic",
    "now",
    "open",
    "stub_of",
]

# The same as the imports under TYPE_CHECKING, which a test holds to it.
_HOME_OF = {
    "ASGIApp": "perdure.host.asgi",
    "AlarmInfo": "perdure.objects.alarms.alarm_info",
    "Body": "perdure.web.body",
    "Cursor": "perdure.objects.sql.cursor",
    "DurableObject": "perdure.workers.durable_object",
    "Env": "perdure.workers.env",
    "ExecutionContext": "perdure.workers.execution_context",
    "File": "perdure.web.form",
    "FormData": "perdure.web.form",
    "Headers": "perdure.web.headers",
    "HeadersInit": "perdure.web.headers",
    "Keys": "perdure.objects.storage.keys",
    "LogContext": "perdure.host.log_context",
    "Namespace": "perdure.workers.namespace",
    "ObjectInfo": "perdure.model.object_info",
    "Objects": "perdure.host.embedded",
    "Op": "perdure.objects.op",
    "Opening": "perdure.host.opening",
    "Query": "perdure.web.query",
    "Remote": "perdure.workers.stub",
    "Request": "perdure.web.request",
    "Response": "perdure.web.response",
    "Row": "perdure.objects.sql.cursor",
    "Runtime": "perdure.host.runtime",
    "SchemaStep": "perdure.objects.sql.schema",
    "Secret": "perdure.model.secret",
    "SqlStorage": "perdure.objects.sql.sql_storage",
    "SqlValue": "perdure.objects.sql.sql_storage",
    "State": "perdure.workers.state",
    "Storage": "perdure.objects.storage.storage",
    "Stub": "perdure.workers.stub",
    "SyncKv": "perdure.objects.storage.kv",
    "Transaction": "perdure.objects.storage.transaction",
    "Value": "perdure.model.value",
    "When": "perdure.objects.storage.alarm",
    "WorkerEntrypoint": "perdure.workers.entrypoint",
    "asgi": "perdure.host.asgi",
    "monotonic": "perdure.host.clock",
    "now": "perdure.host.clock",
    "open": "perdure.host.opening",
    "stub_of": "perdure.workers.stub",
}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'perdure' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
