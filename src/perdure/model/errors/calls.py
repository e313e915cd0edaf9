"""What can go wrong between a caller and an object: queues, resets, cycles, names, and errors raised on the far side.

The flags are properties of the class (R, O, X in the table "Errors" of the specification), so a caller can decide
without reading text. See tests/model/test_errors.py, which holds that table.
"""

from datetime import timedelta
from typing import Any

from perdure.model.errors.base import PerdureError


class Overloaded(PerdureError):
    """The object has too many events waiting, too many bytes waiting, or its oldest event waits too long.

    The call did not start. Back off before trying again: a retry adds to the load. Spread the work over more objects,
    make the handlers shorter, or raise `Limits.queue`, `queue_bytes` or `queue_age` of the class.
    """

    overloaded = True


class ObjectReset(PerdureError):
    """The instance was aborted or broke while this call was in it; what it had not yet stored is gone.

    The next call through the same stub starts a new instance. Whether this call took effect is not known: read back
    what it stores, or make it safe to repeat, before trying again.
    """

    object_reset = True


class Disconnected(ObjectReset):
    """The code was updated, or the object's process ended, moved or crashed, before this call was answered.

    Nothing is wrong with the object. Repeat the call if doing it twice does no harm; it may have taken effect.
    """

    retryable = True


class TimeLimitExceeded(ObjectReset):
    """A critical section, a storage operation or a socket's event ran longer than its limit, and the object was reset.

    Other events waited all that time. Make it shorter (no outgoing calls inside a critical section), or raise the limit
    that the message names in `Limits`.
    """

    overloaded = True


class ConstructorFailed(ObjectReset):
    """The object could not start: its schema, its constructor or `setup()` raised. `__cause__` is that error: fix it.

    The next call tries again. From the second failure in a row on, calls fail at once until `retry_after` has passed.
    """

    retry_after: timedelta | None
    """How long calls will go on to fail at once; None: the next call tries again."""

    def __init__(
        self, *, what: str, where: str = "", why: str = "", next_step: str = "", retry_after: timedelta | None = None
    ) -> None:
        self.retry_after = retry_after
        super().__init__(what=what, where=where, why=why, next_step=next_step)


class ObjectAborted(BaseException):
    """Raised inside the object that called `ctx.abort()`, to end the code that runs; callers get `ObjectReset`.

    A `BaseException`, so that `except Exception` does not swallow it. Do not catch it: the object is over in any case.
    """

    reason: str | None

    def __init__(self, reason: str | None = None) -> None:
        self.reason = reason
        super().__init__(*(() if reason is None else (reason,)))


class CallCycle(PerdureError, RuntimeError):
    """A call would wait for itself: it reached an object whose critical section, directly or through others, awaits
    this call.

    `chain` names the objects in order. Raised at once instead of after 30 s. Make the call before or after the section,
    or without waiting for it.
    """

    chain: tuple[str, ...]

    def __init__(
        self, *, what: str, where: str = "", why: str = "", next_step: str = "", chain: tuple[str, ...] = ()
    ) -> None:
        self.chain = tuple(chain)
        super().__init__(what=what, where=where, why=why, next_step=next_step)


class NestedTooDeep(PerdureError, RuntimeError):
    """Critical sections or transactions stand inside one another deeper than 64. Look for a recursion; flatten it."""


class MethodNotFound(PerdureError, AttributeError, TypeError):
    """The object's class has no public method of this name, or the name is reserved, private or not a method.

    Only public methods of the class and its bases can be called through a stub. Check the spelling against the class.
    """


class NoHandler(PerdureError, TypeError):
    """A request, alarm or schedule has come for code that defines no `fetch`, `alarm` or `scheduled`. Define it."""


class RemoteError(PerdureError):
    """The far side raised an exception whose class is not known here or whose contents cannot travel.

    `type_name`, `args` and `message` tell what it was; the far side's traceback is a note on this exception. To catch
    it by its class, import that class here before the call, and keep only plain values in its attributes.
    """

    type_name: str
    """`module.Name` of the class that was raised."""
    args: tuple[Any, ...]
    message: str

    def __init__(
        self,
        *,
        type_name: str,
        message: str,
        args: tuple[Any, ...] = (),
        what: str = "",
        where: str = "",
        why: str = "",
        next_step: str = "",
        retryable: bool = False,
        overloaded: bool = False,
        object_reset: bool = False,
    ) -> None:
        self.type_name = type_name
        self.message = message
        self.remote = True
        self.retryable = retryable
        self.overloaded = overloaded
        self.object_reset = object_reset
        super().__init__(
            what=what or (f"{type_name}: {message}" if message else type_name),
            where=where,
            why=why,
            next_step=next_step,
        )
        self.args = tuple(args)


class InvalidId(PerdureError, ValueError, TypeError):
    """This text or id does not name an object of the namespace: not 64 hexadecimal digits, or made by another
    namespace.

    Ids carry a proof of the namespace that made them. Use the namespace that gave the id, or make one from a name.
    """


class ObjectUnnamed(PerdureError, ValueError):
    """`ctx.name` was read in an object that no one ever reached by a name.

    `ctx.id.name` is None then and does not raise. Reach the object by name (`ns["room-7"]`), or keep its name in
    storage.
    """
