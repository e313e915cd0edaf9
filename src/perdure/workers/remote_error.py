"""An exception that crosses a call: rebuilt for the caller as its own class where that is safe, else as RemoteError.

Must stay true: no user code runs to rebuild one (no `__init__`, no `__new__`, no import); nothing of the far side
stays alive through it (no frames, no cause, no mutable value shared); its far traceback is a note, without the
runtime's own frames (API-77, API-78). See tests/workers/test_remote_error.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import traceback
from collections.abc import Iterable
from concurrent import futures
from pathlib import Path
from types import MemberDescriptorType, ModuleType, TracebackType
from typing import Any, Protocol, cast

from perdure.model.errors import ConstructorFailed, PerdureError, RemoteError, ValueMismatch
from perdure.model.object_id import ObjectId
from perdure.model.value import as_type, transfer
from perdure.workers.import_space import plain_name
from perdure.workers.typed_call import typed_attributes

# Where frames are from that tell a user nothing: this package, the import system, what dataclasses generate, and what
# runs coroutines and threads.
_NOT_OF_USERS = (
    str(Path(__file__).parents[1]),
    str(importlib.__file__),
    "<frozen importlib",
    "<string>",
    str(Path(asyncio.__file__).parent),
    str(Path(futures.__file__).parent),
)

# What these keep outside of `args` and `__dict__`; a value that can't cross is left out, the exception crosses
# without it.
_BUILT_IN_STATE: tuple[tuple[type[BaseException], tuple[str, ...]], ...] = (
    (OSError, ("errno", "strerror", "filename", "filename2")),
    (ImportError, ("msg", "name", "path")),
    (SyntaxError, ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset")),
    (UnicodeDecodeError, ("encoding", "object", "start", "end", "reason")),
    (UnicodeEncodeError, ("encoding", "object", "start", "end", "reason")),
    (UnicodeTranslateError, ("object", "start", "end", "reason")),
    (StopIteration, ("value",)),
    (NameError, ("name",)),
    (AttributeError, ("name",)),
)
_UNICODE_ERRORS = (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError)


class Modules(Protocol):
    """What a Worker's code has imported."""

    def find_imported(self, plain_name: str, /) -> ModuleType | None:
        """What the code means by this name, if it is imported already. Imports nothing."""
        ...


def rebuild(error: BaseException, modules: Modules) -> Exception:
    """The exception that a caller gets for `error`, which the far side raised or gave as its answer.

    modules: the caller's.
    """
    made = _as_its_own_class(error, modules)
    if made is None:
        made = _as_remote_error(error)
        _set(made, "remote", True)
    cause = error.__cause__ if isinstance(error, ConstructorFailed) else None
    notes = _notes_of(error)
    if cause is None:  # else its frames are the cause's, which brings them along
        notes += _traceback_note(error, whole=not isinstance(made, ExceptionGroup))
    if notes:
        _set(made, "__notes__", notes)
    if cause is not None:
        made.__cause__ = rebuild(cause, modules)
    return made


def user_frames(tb: TracebackType | None) -> list[traceback.FrameSummary]:
    """The frames of a traceback without those of Perdure and of the import system."""
    return [frame for frame in traceback.extract_tb(tb) if _is_user_frame(frame)]


def _as_its_own_class(error: BaseException, modules: Modules) -> Exception | None:
    cls = _class_at_caller(type(error), modules)
    if cls is BaseExceptionGroup:
        cls = ExceptionGroup  # its members are Exceptions from here on
    if not isinstance(cls, type) or not issubclass(cls, Exception):
        return None
    try:
        slots = _slots(type(error), cls)
        own = _own(error, slots)
        attributes = _attributes(own, cls)
        if isinstance(error, BaseExceptionGroup):
            made = _blank(cls, (error.message, [rebuild(member, modules) for member in error.exceptions]))
        else:
            made = _blank(cls, _arguments(error.args, cls, own, attributes))
        _give_state(error, made, attributes, slots)
    except Exception:
        # What keeps it from crossing is its own affair (no value, odd arguments, a property): a RemoteError then.
        return None
    return made


def _give_state(
    error: BaseException, made: Exception, attributes: dict[str, Any], slots: dict[str, MemberDescriptorType]
) -> None:
    for name, value in attributes.items():
        if name in slots:
            slots[name].__set__(made, value)
        else:
            made.__dict__[name] = value
    _set(made, "remote", True)
    if isinstance(error, PerdureError):
        return  # ours keep all in their attributes
    for base, names in _BUILT_IN_STATE:
        if isinstance(error, base):
            for name in names:
                _copy_state(error, made, name)


def _attributes(own: dict[str, Any], cls: type[Exception]) -> dict[str, Any]:
    """The exception's attributes, copied; as the class that its annotation names, if they are of one."""
    attributes = {name: _copied(value, f"{cls.__name__}.{name}") for name, value in own.items()}
    if attributes and not issubclass(cls, PerdureError):
        for name, type_ in typed_attributes(cls, attributes).items():
            with contextlib.suppress(ValueMismatch):  # an annotation that is not true: plain data it stays
                attributes[name] = as_type(type_, attributes[name], path=f"{cls.__name__}.{name}")
    return attributes


def _own(error: BaseException, slots: Iterable[str]) -> dict[str, Any]:
    own = {name: value for name, value in vars(error).items() if name != "__notes__"}
    for name in slots:
        with contextlib.suppress(AttributeError):  # never set
            own[name] = getattr(error, name)
    return own


def _slots(cls: type[BaseException], there: type[Exception]) -> dict[str, MemberDescriptorType]:
    """What users' classes have in `__slots__`, as it is in the class at the caller."""
    classes = zip(_of_users(cls), _of_users(there), strict=True)  # another class of that name: a RemoteError then
    return {
        name: vars(base_there)[name]
        for base, base_there in classes
        for name, slot in vars(base).items()
        if isinstance(slot, MemberDescriptorType)
    }


def _of_users(cls: type[BaseException]) -> list[type]:
    return [base for base in cls.__mro__ if base.__module__ != "builtins"]


def _arguments(
    args: tuple[Any, ...], cls: type[Exception], own: dict[str, Any], attributes: dict[str, Any]
) -> tuple[Any, ...]:
    """`args`, copied; what is also an attribute, as those of a dataclass are, is the same object again."""
    if not own:
        return cast(tuple[Any, ...], transfer(args, path=f"{cls.__name__}.args"))
    names = {id(value): name for name, value in own.items()}
    return tuple(
        attributes[names[id(value)]] if id(value) in names else transfer(value, path=f"{cls.__name__}.args[{place}]")
        for place, value in enumerate(args)
    )


def _class_at_caller(cls: type[BaseException], modules: Modules) -> object:
    """What the caller's code has under the class's module and name. Module code does not run for it."""
    module = modules.find_imported(plain_name(cls.__module__))
    found: object = module
    for part in cls.__qualname__.split("."):
        if not isinstance(found, ModuleType | type):
            return None
        found = vars(found).get(part)
    return found


def _blank(cls: type[Exception], args: tuple[Any, ...]) -> Exception:
    """An instance with these `args`, by the constructor of the built-in class below it: the user's own does not run."""
    built_in: Any = cls
    while built_in.__module__ != "builtins":
        built_in = built_in.__base__
    made: Exception = built_in.__new__(cls, *args)
    if isinstance(made, _UNICODE_ERRORS):
        built_in.__init__(made, *args)  # they cannot even be printed before
    if not isinstance(made, BaseExceptionGroup):
        _set(made, "args", args)
    return made


def _as_remote_error(error: BaseException) -> RemoteError:
    cls = type(error)
    name = f"{plain_name(cls.__module__)}.{cls.__qualname__}"
    try:
        args = transfer(error.args, path="args")
    except PerdureError:
        args = ()
    return RemoteError(
        type_name=name.removeprefix("builtins."),
        message=_text_of(error),
        args=args,
        retryable=_says(error, "retryable"),
        overloaded=_says(error, "overloaded"),
        object_reset=_says(error, "object_reset"),
    )


def _says(error: BaseException, flag: str) -> bool:
    try:
        return bool(getattr(error, flag, False))
    except Exception:  # a property of user code: it must not keep the error from its caller
        return False


def _copied(value: Any, path: str) -> Any:
    return value if isinstance(value, ObjectId) else transfer(value, path=path)


def _copy_state(error: BaseException, made: Exception, name: str) -> None:
    value = getattr(error, name, None)
    if value is not None and name not in vars(made) and isinstance(value, str | bytes | int):
        _set(made, name, value)


def _set(made: Exception, name: str, value: object) -> None:
    # Past the class's own __setattr__, which is user code.
    Exception.__setattr__(made, name, value)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # a __str__ of user code: its failure must not hide the error
        return f"<its text cannot be shown: {type(failure).__name__}>"


def _notes_of(error: BaseException) -> list[str]:
    notes: object = vars(error).get("__notes__")
    return [note for note in notes if isinstance(note, str)] if isinstance(notes, list) else []


def _traceback_note(error: BaseException, *, whole: bool) -> list[str]:
    """The far side's traceback with its causes as one text; nothing if no user code took part.

    whole: with the members of a group, which otherwise have notes of their own.
    """
    summary = traceback.TracebackException.from_exception(error)
    summary.__notes__ = None  # they cross by themselves
    if not whole:
        summary.exceptions = None
    if not _keep_user_frames(summary):
        return []
    return ["Remote traceback, of the far side of this call:\n" + "".join(summary.format()).rstrip("\n")]


def _keep_user_frames(summary: traceback.TracebackException) -> bool:
    """Drop the runtime's own frames, also from what this exception came from; whether any are left."""
    summary.stack[:] = [frame for frame in summary.stack if _is_user_frame(frame)]
    left = bool(summary.stack)
    for origin in (summary.__cause__, summary.__context__, *(summary.exceptions or ())):
        if origin is not None and _keep_user_frames(origin):
            left = True
    return left


def _is_user_frame(frame: traceback.FrameSummary) -> bool:
    return not frame.filename.startswith(_NOT_OF_USERS)
