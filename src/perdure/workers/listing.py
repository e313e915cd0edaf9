"""What a namespace says of its objects without waking them: which there are, and whether one is there.

Must stay true: only what is durable is told; the loop waits for no disk; a page asked for inside an object leaves that
object like a call. See tests/workers/test_namespace_list.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from perdure.model.errors import PerdureError, WrongType, WrongValue
from perdure.model.limits import NAME_BYTES_MAX
from perdure.model.object_id import ObjectId
from perdure.model.object_info import ObjectInfo
from perdure.objects.op import Op
from perdure.objects.outbox import released
from perdure.store.interface import Store, StoredObject
from perdure.workers.home import Home

# Objects read at once on the other thread: a few milliseconds there, and the first ones come soon.
PAGE_OBJECTS_MAX = 256

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Listing:
    """The options of a listing, checked."""

    prefix: str
    after: str | bytes | None
    limit: int | None


def check_listing(prefix: str, after: str | ObjectId | None, limit: int | None) -> Listing:
    """The options. Raises WrongType and WrongValue for what is none."""
    for option, value in (("prefix", prefix), ("after", after)):
        if isinstance(value, str):
            _check_text(option, value)
        elif option == "prefix" or not (value is None or isinstance(value, ObjectId)):
            kinds = "a str" if option == "prefix" else "a name or an ObjectId"
            raise WrongType(
                what=f"{option} is {kinds}, not {type(value).__name__}",
                where="Namespace.list()",
                next_step="leave it out to list from the start" if value is None else f"pass {kinds}",
            )
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool)):
        raise WrongType(
            what=f"limit must be an int, not {type(limit).__name__}",
            where="Namespace.list()",
            why="it is how many objects to list at most",
            next_step="write limit=100",
        )
    if limit is not None and limit < 1:
        raise WrongValue(
            what=f"limit must be positive, not {limit}",
            where="Namespace.list()",
            why="it is how many objects to list at most",
            next_step="write `limit=None` to list everything",
        )
    return Listing(prefix, _place(after), limit)


def _check_text(option: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise WrongType(
            what=f"{option}={text!r:.60} cannot be encoded as UTF-8",
            where="Namespace.list()",
            why="it holds half of a surrogate pair, and no name does",
            next_step="decode the bytes it came from with the right encoding, without errors='surrogateescape'",
        ) from None


def _place(after: str | ObjectId | None) -> str | bytes | None:
    if not isinstance(after, ObjectId):
        return after
    # A longer name is not kept: its object is listed among those without.
    is_kept = after.name is not None and len(after.name.encode()) <= NAME_BYTES_MAX
    return after.name if is_kept else after.raw


async def listed(home: Home, listing: Listing) -> AsyncIterator[ObjectInfo]:
    """The objects of this namespace, read a page at a time while the caller takes them."""
    after, left = listing.after, listing.limit
    while left is None or left > 0:
        await released()
        wanted = PAGE_OBJECTS_MAX if left is None else min(left, PAGE_OBJECTS_MAX)
        page = await home.residents.store.objects(prefix=listing.prefix, after=after, limit=wanted)
        for row in page:
            yield _info(home, row)
        if len(page) < wanted:
            return
        after = page[-1].object if page[-1].name is None else page[-1].name
        left = None if left is None else left - len(page)


def _info(home: Home, row: StoredObject) -> ObjectInfo:
    id = ObjectId.of_raw(row.object, row.name)
    return ObjectInfo(
        class_name=home.residents.class_name,
        name=row.name,
        id=id,
        created=_time(row.created_ms),
        last_written=_time(row.written_ms),
        bytes=row.size_bytes,
        alarm=None if row.alarm_ms is None else _time(row.alarm_ms),
        sockets=0,
        state="stored" if home.residents.instance_of(id) is None else "live",
    )


def _time(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


def ask_exists(store: Store, object: bytes, op: Op[bool]) -> None:
    """Resolve `op` with whether the object has stored something, once what is known of it cannot vanish."""

    def answer(_failed: BaseException | None) -> None:
        # After a failed group the store says what was there before it; a store that is off refuses.
        try:
            op.resolve(store.record(object) is not None)
        except PerdureError as error:
            op.reject(error)

    store.when_durable(object, store.record_position(object), answer)
