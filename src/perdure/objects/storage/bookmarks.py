"""`current_bookmark`, `bookmark_for_time`, `restore_on_next_start`: going back to what an object was.

A bookmark names a state of one object: its keys, its SQL database and its alarm. Its text is `8hex-8hex-8hex-32hex`: the place
in the store's history, so that text order is time order across restarts too, and a check that it is this object's (API-45).
See tests/objects/test_bookmarks.py.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Never

from perdure.core.instant import instant, milliseconds_of
from perdure.core.undo_place import parts_of, place_of
from perdure.model.errors import NaiveDatetime, PerdureError, WrongType, WrongValue
from perdure.objects.driver import start_task
from perdure.objects.member import CURRENT, ObjectMember
from perdure.objects.op import Op

if TYPE_CHECKING:
    from perdure.objects.instance import Instance

_TEXT: Final = re.compile(r"([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]{32})", re.ASCII)
_CHECK_BYTES: Final = 16

HOW_LONG_KEPT: Final = "the past is kept for 30 days or `storage.past_days`, and less of it when the store changes much"
NOT_KEPT: Final = (
    "what undoes the writes since is not kept any more, or the store was replaced by an older copy",
    f"take a later bookmark: {HOW_LONG_KEPT}",
)
"""Why, and what then."""


class Bookmarks:
    """The past of one object; a part of `Storage`."""

    __slots__ = ()

    _instance: Instance

    def current_bookmark(self) -> Op[str]:
        """A bookmark of the state at the end of the running unit, which ends here; durable when the await returns.

        It can be gone back to exactly, as long as the past is kept: 30 days or `storage.past_days`, and less of a store that
        changes much. Not inside a transaction (WrongValue).
        """
        instance = self._instance
        place = self._pin("current_bookmark()", None)
        return self._when_durable(bookmark_text(instance.id.raw, place))

    def bookmark_for_time(self, at: datetime, /) -> Op[str]:
        """A bookmark of the state at that time, or a little before: the longer ago, the fewer states are kept.

        Within a second of it for an hour, within a minute for a day, within an hour for the rest. at: an aware datetime.
        Raises NaiveDatetime, WrongType, and WrongValue for a time that is to come or so long ago that it is not kept.
        """
        if not isinstance(at, datetime):
            raise WrongType(
                what=f"bookmark_for_time() takes a datetime, not {type(at).__name__}",
                where=self._instance.label,
                next_step="write bookmark_for_time(perdure.now() - timedelta(hours=1))",
            )
        if at.utcoffset() is None:
            raise NaiveDatetime(
                what=f"bookmark_for_time() was given a datetime without a time zone: {at.isoformat()}",
                where=self._instance.label,
                why="it is another moment on every machine",
                next_step="use `perdure.now() - timedelta(...)`, or datetime(..., tzinfo=UTC)",
            )
        return self._for_time("bookmark_for_time()", milliseconds_of(at))

    def restore_on_next_start(self, bookmark: str, /) -> Op[str]:
        """Go back to that state before the object starts next: `ctx.abort()` makes it happen now.

        Durable when the await returns; what gives is the bookmark that undoes it, of the end of the running unit. What the
        object writes until then is undone too. Called again, the last bookmark counts. Not inside a transaction. Raises
        WrongType, and WrongValue for a text that is no bookmark of this object or of a state that is not kept any more.
        """
        instance = self._instance
        place = self._place_of(bookmark)
        if not instance.home.store.place_kept(place):
            self._refuse(bookmark, *NOT_KEPT)
        undo = self._pin("restore_on_next_start()", place)
        return self._when_durable(bookmark_text(instance.id.raw, undo))

    # Parts

    def _pin(self, what: str, restore: int | None) -> int:
        self._refuse_in_transaction(what)
        instance = self._instance
        instance.touch()
        try:
            return instance.rows.pin(restore=restore)
        except PerdureError as error:
            instance.break_with(error)  # the unit is lost
            raise

    def _refuse_in_transaction(self, what: str) -> None:
        if self._instance.rows.savepoints is not None:
            raise WrongValue(
                what=f"{what} was called inside a transaction",
                where=self._instance.label,
                why="a bookmark names the end of a unit, and the transaction is one that has not ended",
                next_step="call it before or after the transaction",
            )

    def _when_durable(self, text: str) -> Op[str]:
        op: Op[str] = Op()

        def release(failed: BaseException | None) -> None:
            if failed is None:
                op.resolve(text)
            else:
                op.reject(failed, told=True)  # it resets the object, whose callers get it

        self._instance.rows.when_all_durable(release)
        return op

    def _for_time(self, what: str, at_ms: int) -> Op[str]:
        instance = self._instance
        self._refuse_in_transaction(what)
        instance.touch()
        if at_ms > instance.home.clock.now_ms():
            raise WrongValue(
                what=f"{what} was given a time that is to come: {_shown(at_ms)}",
                where=instance.label,
                next_step="for the state of now take current_bookmark()",
            )
        instance.seal()
        op: Op[str] = Op()

        async def find() -> None:
            try:
                place = await instance.home.store.place_at(instance.id.raw, at_ms)
                if place is None:
                    raise WrongValue(
                        what=f"{what} was given a time of which nothing is kept any more: {_shown(at_ms)}",
                        where=instance.label,
                        why=HOW_LONG_KEPT,
                        next_step="ask for a later time",
                    )
                op.resolve(bookmark_text(instance.id.raw, place))
            except Exception as error:
                op.reject(error)

        current = CURRENT.get()
        member = current.child() if current is not None else ObjectMember(instance, instance.gate)
        start_task(find(), member)
        return op

    def _place_of(self, bookmark: object) -> int:
        if not isinstance(bookmark, str):
            raise WrongType(
                what=f"restore_on_next_start() takes a bookmark, not {type(bookmark).__name__}",
                where=self._instance.label,
                why="a bookmark is the text that current_bookmark() gave",
                next_step="for a time, ask bookmark_for_time() for its bookmark first",
            )
        try:
            return bookmark_place(self._instance.id.raw, bookmark)
        except NotThisObjects as error:
            self._refuse(bookmark, error.why, "pass what this very object's current_bookmark() gave")

    def _refuse(self, bookmark: str, why: str, next_step: str) -> Never:
        raise no_bookmark(bookmark, why, next_step, where=self._instance.label)

    # Cloudflare's names

    def getBookmarkForTime(self, at: float | datetime, /) -> Op[str]:
        """As `bookmark_for_time`. at: milliseconds since the Unix epoch, or an aware datetime."""
        given: Any = at
        if isinstance(at, datetime | bool) or not isinstance(at, int | float) or not isfinite(at):
            return self.bookmark_for_time(given)  # which says what is wrong with it
        return self._for_time("getBookmarkForTime()", int(at // 1))

    getCurrentBookmark: Any = current_bookmark
    onNextSessionRestoreBookmark: Any = restore_on_next_start


class NotThisObjects(Exception):
    """A text is no bookmark of the object."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def is_bookmark(text: str) -> bool:
    """Whether it has the form of one."""
    return _TEXT.fullmatch(text) is not None


def bookmark_place(object: bytes, bookmark: str) -> int:
    """The place that it names. Raises NotThisObjects."""
    found = _TEXT.fullmatch(bookmark)
    if found is None:
        raise NotThisObjects("a bookmark is 8-8-8-32 hexadecimal digits")
    high, low, rest, check = found.groups()
    try:
        place = place_of(int(high + low, 16), int(rest, 16))
    except ValueError:
        raise NotThisObjects("no bookmark has these numbers") from None
    if check != _check(object, place):
        raise NotThisObjects("it is of another object, or was changed")
    return place


def no_bookmark(bookmark: str, why: str, next_step: str, *, where: str) -> WrongValue:
    return WrongValue(
        what=f"{bookmark[:60]!r} is no bookmark that this object can go back to",
        where=where,
        why=why,
        next_step=next_step,
    )


def bookmark_text(object: bytes, place: int) -> str:
    """The bookmark of an object's state at that place."""
    position, rest = parts_of(place)
    return f"{position >> 32:08x}-{position & 0xFFFFFFFF:08x}-{rest:08x}-{_check(object, place)}"


def _check(object: bytes, place: int) -> str:
    """Makes a text that is not of this object, or not whole, known as such."""
    return hashlib.blake2b(place.to_bytes(16, "big"), key=object, digest_size=_CHECK_BYTES).hexdigest()


def _shown(at_ms: int) -> str:
    try:
        return instant(at_ms).isoformat()
    except OverflowError:
        return f"{at_ms} ms"
