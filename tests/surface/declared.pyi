# ruff: noqa
"""The public surface, whole: every public name, typed. tests/surface/test_declared.py holds the package to it, both ways.

What later issues bring stands here too; tests/surface/later.txt lists it, and it must be absent until it works. Cloudflare's spellings
of the same names are left out to keep this readable; tests/surface/aliases.txt has them. `Op` is registered as
collections.abc.Coroutine at run time; it is not declared as one, so that a storage call without `await` stays clean under the checkers.
"""

import logging
from builtins import bytes as _bytes
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
    Set as AbstractSet,
)
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from logging import Filter
from os import PathLike
from types import ModuleType, TracebackType
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, Never, Self, TypeAlias, overload
from typing_extensions import TypeVar

__all__ = [
    "ASGIApp",
    "AlarmInfo",
    "AwaitInTransaction",
    "BindingNotFound",
    "Body",
    "BodyUsed",
    "CallCycle",
    "CloseEvent",
    "ConfigError",
    "ConstraintFailed",
    "ConstructorFailed",
    "Cursor",
    "DataFolderLocked",
    "Disconnected",
    "DurableObject",
    "EgressDenied",
    "Env",
    "EnvMismatch",
    "ErrorEvent",
    "ExecutionContext",
    "FetchFailed",
    "File",
    "ForkedChild",
    "FormData",
    "Headers",
    "HeadersInit",
    "IntOutOfRange",
    "InvalidId",
    "KV",
    "KVEntry",
    "KVKey",
    "Keys",
    "Limits",
    "LoadFailed",
    "LogContext",
    "Map",
    "MessageEvent",
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
    "RpcTarget",
    "Runtime",
    "ScheduledEvent",
    "SchemaMismatch",
    "SchemaStep",
    "Secret",
    "Service",
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
    "StubDisposed",
    "SyncKv",
    "TimeLimitExceeded",
    "TooLarge",
    "Transaction",
    "TransactionEnded",
    "UNDEFINED",
    "Undefined",
    "UnitTooLarge",
    "UnsupportedValue",
    "Value",
    "ValueMismatch",
    "WebSocket",
    "WebSocketClosed",
    "WebSocketMisuse",
    "WebSocketPair",
    "When",
    "WorkerEntrypoint",
    "WrongThread",
    "WrongType",
    "WrongValue",
    "asgi",
    "dispose",
    "dup",
    "fetch",
    "monotonic",
    "now",
    "open",
    "stub_of",
]

T = TypeVar("T")
D = TypeVar("D")  # an object class, a plain class or a Protocol
E = TypeVar("E", default=Any)  # the Env class
P = TypeVar("P", default=Stub)  # the Protocol or class of a service

Value: TypeAlias = Any  # table "Values" of api.md, checked at run time
SqlValue: TypeAlias = None | int | float | str | bytes | bytearray | memoryview
Keys: TypeAlias = list[str] | tuple[str, ...] | AbstractSet[str]  # not Sequence: a str is a Sequence[str]
When: TypeAlias = datetime | timedelta  # aware, or from now; numbers are a TypeError (API-38)
HeadersInit: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
Body: TypeAlias = str | bytes | bytearray | memoryview | FormData | AsyncIterable[bytes] | AsyncIterable[str] | None
SchemaStep: TypeAlias = str | Callable[[SqlStorage], object]  # SQL text (several statements), or a plain function
Objects: TypeAlias = (
    Iterable[type[Any]] | Mapping[str, type[Any]]
)  # bound under their own names, or binding name -> class
ASGIApp: TypeAlias = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]

class Map(dict[Any, Any]):
    """A JavaScript Map in data that came from there; stays one when it is written back."""

class Undefined: ...

UNDEFINED: Final[Undefined]  # JavaScript's undefined, likewise

class Op(Awaitable[T]):
    """An operation that began when it was made; `await` gives its result, as often as wanted (API-17, API-18)."""
    def __await__(self) -> Generator[Any, None, T]: ...
    def done(self) -> bool: ...
    def result(self) -> T: ...  # what is there already; asyncio.InvalidStateError if not done

# ---------------------------------------------------------------------------------------------------------------- objects

class DurableObject(Generic[E]):
    """Base of an object class. At run time only __init__ and setup exist here; the other hooks are yours to define (API-5)."""

    schema: ClassVar[Sequence[SchemaStep] | PathLike[str]]  # steps, or a folder of *.sql in name order (API-43)
    limits: ClassVar[Limits]
    sockets_on_crash: ClassVar[Literal["keep", "close"]]  # "keep"; "close" sends 1012 (API-58)
    websocket_serial: ClassVar[bool]  # False; True: one frame of a socket at a time (API-57)
    ctx: State
    env: E
    def __init__(self, ctx: State, env: E) -> None: ...
    def setup(self, *args: Any, **kwargs: Any) -> Any: ...  # ()  once per activation (API-6)
    def fetch(self, *args: Any, **kwargs: Any) -> Any: ...  # (request)
    def alarm(self, *args: Any, **kwargs: Any) -> Any: ...  # (info: AlarmInfo)
    def websocket_message(self, *args: Any, **kwargs: Any) -> Any: ...  # (ws, message: str | bytes)
    def websocket_close(self, *args: Any, **kwargs: Any) -> Any: ...  # (ws, code: int, reason: str, was_clean: bool)
    def websocket_error(self, *args: Any, **kwargs: Any) -> Any: ...  # (ws, error: Exception)
    def pre_shutdown(
        self, *args: Any, **kwargs: Any
    ) -> Any: ...  # (reason: "stop" | "inactive" | "update"), 10 s (API-7)

@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Per class: `limits = Limits(idle=timedelta(minutes=5))` (API-44)."""

    idle: timedelta = ...  # 10 s without work: evicted, at most 1 s later
    pending: timedelta = ...  # 15 min that one timer, outgoing call or wait_until may hold off eviction
    critical_section: timedelta = ...  # 30 s, also of transaction(); longer resets the object
    alarm: timedelta = ...  # 15 min for one run; longer resets the object and counts as a failure
    alarm_retries: int = ...  # 6, so 7 runs, then a dead letter
    queue: int = ...  # 10,000 events waiting
    queue_bytes: int = ...  # 128 MiB
    queue_age: timedelta = ...  # 30 s the oldest may wait
    sql: timedelta = ...  # 1 s for one statement of exec; sql.run has none
    result_bytes: int = ...  # 64 MiB of one exec; sql.run has none
    socket_queue_bytes: int = ...  # 16 MiB not yet sent; more closes that socket with 1013

@dataclass(frozen=True, slots=True)
class AlarmInfo:
    scheduled_time: datetime  # aware, UTC
    retry_count: int  # 0 at the first run
    is_retry: bool

class State:
    """`ctx` of an object."""
    @property
    def id(self) -> ObjectId: ...
    @property
    def name(self) -> str: ...  # ObjectUnnamed if none is known (API-14)
    @property
    def storage(self) -> Storage: ...
    @property
    def props(self) -> Any: ...  # what the deployer set for this class, else {}
    @property
    def exports(self) -> Any: ...  # own entry points and namespaces by class name; namespace() is typed
    def namespace(self, cls: type[D], /) -> Namespace[D]: ...  # of an own class, no binding needed (API-13)
    def wait_until(self, aw: Awaitable[Any], /) -> None: ...  # does not delay the reply; a failure is logged
    def block_concurrency_while(
        self, fn: Callable[[], Awaitable[T]], /
    ) -> Op[T]: ...  # also a decorator; raising resets (API-36)
    def critical_section(self) -> AbstractAsyncContextManager[None]: ...  # raising is just raising (API-36)
    def abort(
        self, reason: str | None = None, *, retry_alarm: bool = True
    ) -> Never: ...  # raises ObjectAborted (API-47)
    def accept_websocket(
        self, ws: WebSocket, tags: Sequence[str] = ()
    ) -> None: ...  # hibernating; 10 tags of 256 UTF-8 bytes
    def get_websockets(self, tag: str | None = None) -> list[WebSocket]: ...  # in order of acceptance
    def get_tags(self, ws: WebSocket, /) -> list[str]: ...
    def set_websocket_auto_response(
        self, request: str | None = None, response: str | None = None
    ) -> None: ...  # 2,048 UTF-8 bytes each
    def get_websocket_auto_response(self) -> tuple[str, str] | None: ...
    def websocket_auto_response_time(self, ws: WebSocket, /) -> datetime | None: ...
    def set_websocket_event_timeout(self, limit: timedelta | None) -> None: ...  # at most 7 days; longer handlers reset
    def get_websocket_event_timeout(self) -> timedelta | None: ...

# ---------------------------------------------------------------------------------------------------------------- storage

class _Keyed:
    """Asynchronous key-value storage and the alarm. Everything happens at the call; `await` is optional (API-26)."""
    @overload
    def get(self, key: str, default: None = None) -> Op[Any]: ...
    @overload
    def get(self, key: str, default: T) -> Op[Any | T]: ...
    @overload
    def get(self, keys: Keys, /) -> Op[dict[str, Any]]: ...  # in order of UTF-8 bytes, missing keys left out
    @overload
    def get_as(self, type_: type[T], key: str) -> Op[T | None]: ...  # ValueMismatch if it does not fit (API-33)
    @overload
    def get_as(self, type_: type[T], key: str, default: T) -> Op[T]: ...
    @overload
    def put(self, key: str, value: Value, *, allow_unconfirmed: bool = False) -> Op[None]: ...
    @overload
    def put(
        self, entries: Mapping[str, Value], /, *, allow_unconfirmed: bool = False
    ) -> Op[None]: ...  # all or nothing
    @overload
    def delete(self, key: str, *, allow_unconfirmed: bool = False) -> Op[bool]: ...  # whether it existed
    @overload
    def delete(self, keys: Keys, /, *, allow_unconfirmed: bool = False) -> Op[int]: ...  # how many existed
    def list_as(
        self,
        type_: type[T],
        *,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        prefix: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Op[dict[str, T]]: ...
    def list(
        self,
        *,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        prefix: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Op[dict[str, Any]]: ...
    def get_alarm(self) -> Op[datetime | None]: ...  # aware, UTC; None while its own handler runs
    def set_alarm(self, when: When, *, allow_unconfirmed: bool = False) -> Op[None]: ...  # API-38
    def delete_alarm(self, *, allow_unconfirmed: bool = False) -> Op[None]: ...

class Storage(_Keyed):
    @property
    def sql(self) -> SqlStorage: ...
    @property
    def kv(self) -> SyncKv: ...
    def delete_all(self) -> Op[None]: ...  # key-value, SQL and alarm; not inside a transaction
    def sync(self) -> Op[None]: ...  # yields: waits until all earlier writes are durable
    @overload
    def transaction(self) -> AbstractAsyncContextManager[Transaction]: ...  # async with (API-34)
    @overload
    def transaction(self, body: Callable[[Transaction], Awaitable[T]], /) -> Op[T]: ...
    @overload
    def transaction_sync(self) -> AbstractContextManager[None]: ...  # with; AwaitInTransaction (API-35)
    @overload
    def transaction_sync(self, body: Callable[[], T], /) -> T: ...
    def current_bookmark(self) -> Op[str]: ...  # yields; plain string order is time order (API-45)
    def bookmark_for_time(self, at: datetime, /) -> Op[str]: ...  # yields; ValueError outside the last 30 days
    def restore_on_next_start(self, bookmark: str, /) -> Op[str]: ...  # yields; gives the bookmark that undoes it

class Transaction(_Keyed):
    def rollback(self) -> None: ...

class SyncKv:
    """The same data as Storage.get/put/delete/list, without Op."""
    @overload
    def get(self, key: str, default: None = None) -> Any: ...
    @overload
    def get(self, key: str, default: T) -> Any | T: ...
    @overload
    def get_as(self, type_: type[T], key: str) -> T | None: ...
    @overload
    def get_as(self, type_: type[T], key: str, default: T) -> T: ...
    def put(self, key: str, value: Value) -> None: ...
    def delete(self, key: str) -> bool: ...
    def list_as(
        self,
        type_: type[T],
        *,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        prefix: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[str, T]]: ...
    def list(
        self,
        *,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        prefix: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[str, Any]]: ...  # a snapshot

class SqlStorage:
    @property
    def database_size(self) -> int: ...  # bytes
    def exec(self, query: str, /, *bindings: SqlValue, **named: SqlValue) -> Cursor[Row]: ...  # API-39
    def exec_as(self, type_: type[T], query: str, /, *bindings: SqlValue, **named: SqlValue) -> Cursor[T]: ...  # API-40
    def exec_many(
        self, query: str, rows: Iterable[Sequence[SqlValue] | Mapping[str, SqlValue]], /
    ) -> int: ...  # rows written
    def run(
        self, query: str, /, *bindings: SqlValue, **named: SqlValue
    ) -> Op[Cursor[Row]]: ...  # on a thread, yields (API-42)
    def run_as(self, type_: type[T], query: str, /, *bindings: SqlValue, **named: SqlValue) -> Op[Cursor[T]]: ...

class Row(dict[str, Any]):
    """row["n"]; row.n for names that dict does not have. Of equal column names the last wins; raw() keeps all."""
    def __getattr__(self, name: str) -> Any: ...

class Cursor(Iterator[T]):
    """The rows as they were when the statement ran (API-41)."""
    @property
    def column_names(self) -> tuple[str, ...]: ...
    @property
    def rows_read(self) -> int: ...
    @property
    def rows_written(self) -> int: ...
    def __next__(self) -> T: ...
    def one(self) -> T: ...  # exactly one is left, else NotOneRow
    def first(self) -> T | None: ...
    def to_list(self) -> list[T]: ...  # those that are left
    def raw(self) -> Cursor[tuple[Any, ...]]: ...  # shares the position

# --------------------------------------------------------------------------------------------------- names, stubs, references

@dataclass(frozen=True, slots=True)
class ObjectId:
    hex: str  # 64 lower-case digits; str(id) too
    name: str | None = ...  # takes no part in == and hash

@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One row of the registry; the JSON of `perdure objects list` has the same names (`class` for class_name)."""

    class_name: str
    name: str | None
    id: ObjectId
    created: datetime
    last_written: datetime
    bytes: int  # stored, without undo data
    alarm: datetime | None
    sockets: int
    state: Literal["stored", "live"]  # live: in memory now

class Namespace(Generic[D]):
    """All objects of one class. The stub that it gives is typed as the class itself (API-16)."""
    def id_from_name(self, name: str, /) -> ObjectId: ...
    def id_from_string(self, hex: str, /) -> ObjectId: ...  # InvalidId if it is not of this namespace
    def new_unique_id(self) -> ObjectId: ...
    def get(self, id: ObjectId, /) -> D: ...
    def get_by_name(self, name: str, /) -> D: ...
    def __getitem__(self, name: str, /) -> D: ...  # the same as get_by_name
    def stub(self, id: ObjectId, /) -> Stub: ...  # the same as stub_of(get(id))
    def exists(self, object: str | ObjectId, /) -> Op[bool]: ...  # whether it has stored anything; wakes nothing
    def list(
        self, *, prefix: str = "", after: str | ObjectId | None = None, limit: int | None = 1000
    ) -> AsyncIterator[ObjectInfo]: ...

class Stub:
    """What `get` and `[...]` really give, seen without the class's type (API-21)."""
    @property
    def id(self) -> ObjectId: ...
    @property
    def name(self) -> str | None: ...
    async def fetch(
        self, input: str | Request, *, method: str | None = None, headers: HeadersInit | None = None, body: Body = None
    ) -> Response: ...
    def __getattr__(self, member: str) -> Remote: ...
    async def __aenter__(self) -> Self: ...  # the end of the block disposes of it
    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None, /
    ) -> None: ...

class Remote(Op[Any]):
    """A member of an untyped stub: call it, await it (a property), or go deeper without waiting (API-25)."""
    def __call__(self, *args: Any, **kwargs: Any) -> Remote: ...
    def __getattr__(self, member: str) -> Remote: ...

class RpcTarget:
    """Instances cross by reference: the receiver gets a stub, typed as the class (API-24)."""
    def dup(self) -> Self: ...
    async def disposed(self) -> None: ...  # yours to define: the last stub is gone
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None, /
    ) -> None: ...

def stub_of(obj: object, /) -> Stub: ...  # of anything that a namespace, service or call gave; TypeError else
def dup(reference: T, /) -> T: ...  # keep a reference (function, target, stub) beyond the call that brought it
def dispose(reference: object, /) -> None: ...  # give it up now; later use is StubDisposed

# ---------------------------------------------------------------------------------------------------------------- sockets

@dataclass(frozen=True, slots=True)
class MessageEvent:
    data: str | bytes

@dataclass(frozen=True, slots=True)
class CloseEvent:
    code: int  # 1005: the frame had none; 1006: no frame came
    reason: str
    was_clean: bool

@dataclass(frozen=True, slots=True)
class ErrorEvent:
    error: Exception

class WebSocket:
    """One wrapper per socket and activation: `is`, == and dict keys work."""
    @property
    def ready_state(self) -> Literal[0, 1, 2, 3]: ...  # connecting, open, closing, closed
    @property
    def url(self) -> str | None: ...  # None on a pair's end
    @property
    def protocol(self) -> str | None: ...
    @property
    def extensions(self) -> str | None: ...
    @property
    def close_code(self) -> int | None: ...  # once closed
    @property
    def close_reason(self) -> str | None: ...
    @property
    def redelivered(self) -> bool: ...  # in websocket_message: this frame may have been handled before (API-58)
    attachment: Value  # at most 16,384 bytes encoded; API-55
    def attachment_as(self, type_: type[T], /) -> T: ...  # ValueError if none was set
    def accept(self) -> None: ...  # standard: lives in memory only; not for ctx.accept_websocket
    def send(self, data: str | bytes | bytearray | memoryview, /) -> None: ...  # never blocks (API-56)
    async def drain(self) -> None: ...  # until less than half of socket_queue_bytes is waiting
    def close(self, code: int | None = None, reason: str = "") -> None: ...  # 1000, 3000-4999; reason 123 UTF-8 bytes
    async def receive(self) -> str | bytes: ...  # WebSocketClosed at the end; accepted and outgoing sockets only
    def __aiter__(self) -> AsyncIterator[str | bytes]: ...  # ends when the socket closes, whatever the code
    @overload
    def on(
        self, event: Literal["open"], fn: Callable[[], object], /
    ) -> Callable[[], None]: ...  # gives what removes it
    @overload
    def on(self, event: Literal["message"], fn: Callable[[MessageEvent], object], /) -> Callable[[], None]: ...
    @overload
    def on(self, event: Literal["close"], fn: Callable[[CloseEvent], object], /) -> Callable[[], None]: ...
    @overload
    def on(self, event: Literal["error"], fn: Callable[[ErrorEvent], object], /) -> Callable[[], None]: ...
    async def __aenter__(self) -> Self: ...  # the end of the block closes it with 1000
    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None, /
    ) -> None: ...
    @classmethod
    async def connect(
        cls, url: str, *, protocols: Sequence[str] = (), headers: HeadersInit | None = None
    ) -> WebSocket: ...  # open and accepted

class WebSocketPair(tuple[WebSocket, WebSocket]):  # client, server = WebSocketPair()
    def __new__(cls) -> Self: ...

# ---------------------------------------------------------------------------------------------------------------- Workers

class Env:
    """Base of a Worker's typed environment: class MyEnv(Env): COUNTER: Namespace[Counter] (API-8 to API-11)."""
    def __getitem__(self, name: str, /) -> Any: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...

class Secret(str):
    """A str whose repr is masked, and only its repr (API-11)."""

Service: TypeAlias = Annotated[P, "service binding"]  # AUTH: Service[AuthApi] is typed as AuthApi; bare Service as Stub

class KV:
    """A key-value namespace shared by Workers: `kv_namespaces`. Not transactional with any object."""
    async def get(self, key: str, /) -> str | None: ...
    async def get_bytes(self, key: str, /) -> bytes | None: ...
    async def get_as(self, type_: type[T], key: str, /) -> T | None: ...  # from JSON; get_as(dict, key) for plain JSON
    async def get_entry(self, key: str, /) -> KVEntry | None: ...
    async def put(
        self, key: str, value: str | bytes, /, *, expires: When | None = None, metadata: Value = None
    ) -> None: ...
    async def delete(self, key: str, /) -> None: ...
    def list(self, *, prefix: str = "", after: str | None = None, limit: int | None = 1000) -> AsyncIterator[KVKey]: ...

@dataclass(frozen=True, slots=True)
class KVEntry:
    value: bytes
    metadata: Any
    expires: datetime | None

@dataclass(frozen=True, slots=True)
class KVKey:
    name: str
    metadata: Any
    expires: datetime | None

class ExecutionContext:
    """`ctx` of a Worker's invocation."""
    @property
    def props(self) -> Any: ...  # of the binding that was used
    @property
    def exports(self) -> Any: ...
    def namespace(self, cls: type[D], /) -> Namespace[D]: ...
    def wait_until(self, aw: Awaitable[Any], /) -> None: ...  # 30 s after the reply, then cancelled with a warning
    def abort(self, reason: str | None = None) -> Never: ...
    def pass_through_on_exception(self) -> None: ...  # does nothing and says so once: there is no origin

class WorkerEntrypoint(Generic[E]):
    """Class `Default` is the default entry point, any other is named; public methods are RPC (API-1)."""

    ctx: ExecutionContext
    env: E
    def __init__(self, ctx: ExecutionContext, env: E) -> None: ...
    def fetch(self, *args: Any, **kwargs: Any) -> Any: ...  # (request)
    def scheduled(self, *args: Any, **kwargs: Any) -> Any: ...  # (event: ScheduledEvent)

class ScheduledEvent:
    @property
    def scheduled_time(self) -> datetime: ...  # aware, UTC
    @property
    def cron(self) -> str: ...  # the text that matched
    def no_retry(self) -> None: ...

# ---------------------------------------------------------------------------------------------------------------- HTTP

class Headers(MutableMapping[str, str]):
    """Case-insensitive; repeats are joined with ", "; iteration is sorted by lower-cased name."""
    def __init__(self, init: HeadersInit = ()) -> None: ...
    def __getitem__(self, name: str) -> str: ...
    def __setitem__(self, name: str, value: str) -> None: ...  # replaces all; TypeError on received headers
    def __delitem__(self, name: str) -> None: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def append(self, name: str, value: str) -> None: ...
    def get_all(self, name: str) -> list[str]: ...
    def multi_items(self) -> list[tuple[str, str]]: ...  # one entry per field, Set-Cookie apart

class Query(Mapping[str, str]):
    """Decoded; item access gives the first value."""
    def __getitem__(self, name: str) -> str: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def get_all(self, name: str) -> list[str]: ...
    def multi_items(self) -> list[tuple[str, str]]: ...

class File:
    def __init__(self, content: bytes, name: str, *, content_type: str = "application/octet-stream") -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def size(self) -> int: ...  # bytes
    @property
    def content(self) -> bytes: ...

class FormData(MutableMapping[str, str | File]):
    """Item access gives the first value. As a body: multipart if it holds a file, else urlencoded."""
    def __init__(self, init: Mapping[str, str | File] | Iterable[tuple[str, str | File]] = ()) -> None: ...
    def __getitem__(self, name: str) -> str | File: ...
    def __setitem__(self, name: str, value: str | File) -> None: ...
    def __delitem__(self, name: str) -> None: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def append(self, name: str, value: str | File) -> None: ...
    def get_all(self, name: str) -> list[str | File]: ...
    def multi_items(self) -> list[tuple[str, str | File]]: ...

class _Message:
    """What Request and Response share. A body is read once (API-50)."""
    @property
    def headers(self) -> Headers: ...
    @property
    def body(self) -> AsyncIterator[_bytes] | None: ...  # chunks as they come; a slow reader slows the sender
    @property
    def body_used(self) -> bool: ...
    async def text(self) -> str: ...
    async def json(self) -> Any: ...
    async def json_as(self, type_: type[T], /) -> T: ...  # ValueMismatch if it does not fit
    async def form_data(self) -> FormData: ...
    async def bytes(self) -> _bytes: ...
    def clone(self) -> Self: ...  # before the first read

class Request(_Message):
    def __init__(
        self,
        input: str | Request,
        *,
        method: str | None = None,
        headers: HeadersInit | None = None,
        body: Body = None,
        redirect: Literal["follow", "manual"] | None = None,
    ) -> None: ...  # input: an absolute URL, or a request whose body moves
    @property
    def method(self) -> str: ...  # upper-case
    @property
    def url(self) -> str: ...  # absolute, normalised by the URL standard
    @property
    def path(self) -> str: ...  # percent-decoded (API-49)
    @property
    def raw_path(self) -> str: ...  # as in url
    @property
    def query(self) -> Query: ...
    @property
    def client_ip(self) -> str | None: ...  # API-49
    @property
    def redirect(self) -> Literal["follow", "manual"]: ...
    @property
    def cf(self) -> Mapping[str, Any]: ...  # a placeholder record

class Response(_Message):
    def __init__(
        self,
        body: Body = None,
        status: int | HTTPStatus = 200,
        *,
        status_text: str = "",
        headers: HeadersInit | None = None,
        web_socket: WebSocket | None = None,
    ) -> None: ...  # web_socket: with status 101 only
    @property
    def status(self) -> int: ...
    @property
    def status_text(self) -> str: ...
    @property
    def ok(self) -> bool: ...  # 200-299
    @property
    def url(self) -> str: ...  # "" unless it came from fetch
    @property
    def redirected(self) -> bool: ...
    @property
    def web_socket(self) -> WebSocket | None: ...
    @staticmethod
    def from_json(
        data: Any, *, status: int | HTTPStatus = 200, headers: HeadersInit | None = None
    ) -> Response: ...  # what msgspec encodes as JSON
    @staticmethod
    def redirect(url: str, status: int | HTTPStatus = 302) -> Response: ...

async def fetch(
    input: str | Request,
    *,
    method: str | None = None,
    headers: HeadersInit | None = None,
    body: Body = None,
    redirect: Literal["follow", "manual"] | None = None,
) -> Response: ...  # outgoing; no time-out of its own (API-52)

# --------------------------------------------------------------------------------------------------------- embedding and time

class Runtime:
    """Objects, and a Worker if one was given, inside this process (API-63 to API-68)."""
    @property
    def env(self) -> Env: ...
    def __getitem__(self, cls: type[D], /) -> Namespace[D]: ...
    async def fetch(
        self, input: str | Request, *, method: str | None = None, headers: HeadersInit | None = None, body: Body = None
    ) -> Response: ...
    # the verbs of `perdure objects`; `at` is a bookmark or a time
    async def sql(
        self, obj: object, query: str, /, *bindings: SqlValue, **named: SqlValue
    ) -> list[Row]: ...  # read-only
    async def fork(self, obj: object, name: str, /, *, at: str | datetime | None = None) -> None: ...
    async def restore(self, obj: object, /, *, at: str | datetime) -> str: ...  # the bookmark that undoes it
    async def delete(self, obj: object, /) -> str: ...  # the same
    async def export(self, obj: object, file: str | PathLike[str], /) -> None: ...
    async def import_file(
        self, cls: type[Any], name: str, file: str | PathLike[str], /, *, replace: bool = False
    ) -> None: ...
    async def backup(self, file: str | PathLike[str], /) -> None: ...
    async def aclose(self) -> None: ...  # drains, runs pre_shutdown, closes the folder

class Opening(Awaitable[Runtime]):
    """What open() gives: `async with` it, or await it and call aclose() yourself."""
    def __await__(self) -> Generator[Any, None, Runtime]: ...
    async def __aenter__(self) -> Runtime: ...
    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None, /
    ) -> None: ...

def open(
    path: str | PathLike[str],
    *,
    objects: Objects = (),
    worker: str | PathLike[str] | ModuleType | Callable[..., Any] | None = None,
    env: Mapping[str, Any] | None = None,
    lock_timeout: timedelta = ...,
) -> Opening: ...  # path: the data folder; 5 s

class LogContext(Filter):  # perdure_class, perdure_object and perdure_request on every record of a handler (API-62)
    def filter(self, record: logging.LogRecord) -> bool: ...

def asgi(
    worker: Runtime | str | PathLike[str] | ModuleType, *, data: str | PathLike[str] | None = None
) -> ASGIApp: ...  # API-68
def now() -> datetime: ...  # aware, UTC, by the runtime's clock (API-60)
def monotonic() -> float: ...  # seconds

# ---------------------------------------------------------------------------------------------------------------- errors

class PerdureError(Exception):
    """Every error that Perdure raises; table "Errors" of api.md. str() is what, where, why and the next step."""

    code: ClassVar[str]  # "PERDURE_" and the class name in upper snake case
    retryable: bool  # the same call may succeed later; whether it took effect is not known
    overloaded: bool  # back off, a retry adds to the load
    object_reset: bool  # the instance is gone; the next call starts another
    remote: bool  # it was raised on the far side of a call
    object_id: ObjectId | None
    what: str
    where: str
    why: str
    next_step: str
    def __init__(self, *, what: str, where: str = "", why: str = "", next_step: str = "") -> None: ...

class WrongType(PerdureError, TypeError): ...  # wherever the specification says TypeError
class WrongValue(PerdureError, ValueError): ...  # wherever it says ValueError
class Overloaded(PerdureError): ...
class ObjectReset(PerdureError): ...
class Disconnected(ObjectReset): ...
class TimeLimitExceeded(ObjectReset): ...

class ConstructorFailed(ObjectReset):
    retry_after: timedelta | None  # None: the next call tries again at once

class ObjectAborted(BaseException):  # not a PerdureError, so that `except Exception` does not swallow it
    reason: str | None

class CallCycle(PerdureError, RuntimeError):
    chain: tuple[str, ...]

class NestedTooDeep(PerdureError, RuntimeError): ...
class MethodNotFound(PerdureError, AttributeError, TypeError): ...
class NoHandler(PerdureError, TypeError): ...
class StubDisposed(PerdureError, RuntimeError): ...

class RemoteError(PerdureError):
    type_name: str  # "module.Name"
    args: tuple[Any, ...]
    message: str

class InvalidId(PerdureError, ValueError, TypeError): ...
class ObjectUnnamed(PerdureError, ValueError): ...
class StorageBroken(PerdureError): ...
class StorageFull(StorageBroken, OSError): ...
class StoreBroken(StorageBroken): ...

class StoreTooNew(PerdureError):
    written_by: str

class DataFolderLocked(PerdureError, OSError):
    pid: int
    program: str
    since: datetime

class ForkedChild(PerdureError, RuntimeError): ...
class WrongThread(PerdureError, RuntimeError): ...
class OutsideGate(PerdureError, RuntimeError): ...
class StorageBusy(PerdureError, RuntimeError): ...
class TransactionEnded(PerdureError, RuntimeError): ...
class AwaitInTransaction(PerdureError, RuntimeError): ...

class SchemaMismatch(PerdureError):
    step: int

class UnsupportedValue(PerdureError, TypeError):
    path: str  # put("k")["a"][3]

class ValueMismatch(PerdureError, ValueError):
    path: str

class TooLarge(PerdureError, ValueError):
    size: int  # bytes, or elements where the limit counts those
    limit: int

class ResultTooLarge(TooLarge): ...
class UnitTooLarge(TooLarge): ...
class IntOutOfRange(PerdureError, OverflowError): ...
class NaiveDatetime(PerdureError, ValueError): ...

class SqlError(PerdureError):
    sqlite_code: str  # "SQLITE_CONSTRAINT_UNIQUE"
    offset: int | None  # of the token, in UTF-8 bytes
    statement: str

class ConstraintFailed(SqlError): ...
class SqlInterrupted(SqlError, TimeoutError): ...

class NotOneRow(PerdureError, ValueError):
    rows: int  # 0, or 2 for "more than one"

class ConfigError(PerdureError):
    problems: tuple[str, ...]  # all of them

class LoadFailed(PerdureError): ...
class EnvMismatch(ConfigError): ...
class BindingNotFound(PerdureError, AttributeError, KeyError): ...
class BodyUsed(PerdureError, TypeError): ...
class FetchFailed(PerdureError, ConnectionError): ...
class EgressDenied(PerdureError, PermissionError): ...
class WebSocketMisuse(PerdureError, TypeError): ...

class WebSocketClosed(PerdureError, ConnectionError):
    close_code: int
    close_reason: str
