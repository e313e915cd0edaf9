"""What an exception of Python's own means here: a note on it with the reason and the next step.

Must stay true: only what a confusion about Perdure explains gets a note, once; looking costs nothing where nothing is
raised; and nothing that a user's exception or method does when it is looked at keeps the error from its caller. See
tests/workers/test_advice.py and tests/mistakes/test_in_code.py.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_ADVICE: Final = "Perdure: "

_TEXTS: Final[Mapping[str, str]] = {
    r"DurableObject\.__init__\(\) missing .*'ctx'": (
        "the runtime makes objects, and gives each its ctx and env; reach one by its name, `env.BINDING[name]`; "
        "a constructor of your own passes them on: `super().__init__(ctx, env)`"
    ),
    r"asyncio\.run\(\) cannot be called from a running event loop": (
        "handlers and objects run on an event loop already; write `await` instead of `asyncio.run(...)`"
    ),
    r"'coroutine' object (is not|does not|has no)": (
        "an async method gives a coroutine, which has its result once it is awaited; write `(await ...)`"
    ),
    r"'coroutine' object is not iterable|object of type 'coroutine' has no len": (
        "an async method gives a coroutine, which has its result once it is awaited; write `(await ...)`"
    ),
    r"Passing coroutines is forbidden": (
        "`asyncio.wait` takes tasks, and a call of an object becomes one: `asyncio.wait([asyncio.create_task(call)])`"
    ),
    r"object async_generator can't be used in 'await' expression|'async_generator' object can't be awaited": (
        "it gives one item after the other; write `async for item in ...:` or `[item async for item in ...]`"
    ),
    r"object NoneType can't be used in 'await' expression|'NoneType' object can't be awaited": (
        "what stands after `await` has its result already, or is no call at all; leave `await` out, as with `storage.kv`"
    ),
    # As Python writes the name of a type: a text of the user's may speak of a remote host.
    r"['\"(](Op|Remote)['\")]|\b(not|type|object|got) (Op|Remote)\b|\b(Op|Remote) (object|found|given)\b": (
        "an operation has its result once it is awaited; write `(await ...)`"
    ),
    r"object (Cursor|Row) can't be used in 'await' expression|'(Cursor|Row)' object can't be awaited": (
        "a statement has run when `sql.exec` returns; leave `await` out, or run it on a thread: `await sql.run(...)`"
    ),
    r"object Stub can't be used in 'await' expression|'Stub' object can't be awaited": (
        "a stub stands for an object and is there at once; await a call of it: `await stub.method()`"
    ),
    r"'Namespace' object is not callable": (
        "a namespace is indexed by the name of an object; write `env.BINDING[name]`"
    ),
}


def advise(error: BaseException) -> None:
    """Add the note, if there is something to say about this exception that its text does not say; to members of groups too."""
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            advise(member)
    if not isinstance(error, AttributeError | TypeError | RuntimeError) or error.__class__.__module__ != "builtins":
        return
    notes = getattr(error, "__notes__", [])
    if not isinstance(notes, list) or any(isinstance(note, str) and note.startswith(_ADVICE) for note in notes):
        return
    advice = _about_attribute(error) if isinstance(error, AttributeError) else None
    if advice is None:
        said = _text_of(error)
        advice = next((text for pattern, text in _TEXTS.items() if re.search(pattern, said)), None)
    if advice is not None:
        error.add_note(_ADVICE + advice)


def advise_caller(error: BaseException, cls: type[Any], method: str) -> None:
    """Add what a method takes, if its arguments kept it from being entered."""
    if type(error) is not TypeError or error.__traceback__ is None:
        return
    last = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    if last.tb_frame.f_globals.get("__name__") not in _CALLERS:
        return
    try:
        function = inspect.unwrap(getattr(cls, method))
        takes = re.sub(r"^\(self(, )?", "(", str(inspect.signature(function)))
    except Exception:  # without a signature, or its default values cannot be shown: Python's own text has to do
        return
    code = getattr(function, "__code__", None)
    place = "" if code is None else f" ({code.co_filename}:{code.co_firstlineno})"
    error.add_note(f"{_ADVICE}it is {cls.__qualname__}.{method}{takes}{place}; call it with these arguments")


# Where a frame is the last one if the method that it calls was not entered.
_CALLERS: Final = frozenset({"perdure.workers.rpc", "perdure.workers.typed_call"})


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # of what the exception was given: there is no text to know it by
        return ""


def _about_attribute(error: AttributeError) -> str | None:
    name = error.name
    if not isinstance(name, str):
        return None
    for kind in type(error.obj).__mro__:
        explain = _KINDS.get(f"{kind.__module__}.{kind.__qualname__}")
        if explain is not None:
            return explain(error.obj, name)
    return None


def _of_object(obj: object, name: str) -> str | None:
    cls = type(obj).__qualname__
    if name in ("ctx", "env"):
        return (
            f"the constructor of DurableObject sets it, and {cls}.__init__ has not called that; "
            "begin with `super().__init__(ctx, env)`"
        )
    if name in ("storage", "kv"):
        return f"an object's storage is in its ctx; write `self.ctx.{'storage' if name == 'storage' else 'storage.kv'}`"
    return None


def _of_ctx(obj: object, name: str) -> str | None:
    if name in ("storage", "id", "name", "block_concurrency_while", "critical_section"):
        return (
            f"this ctx is that of a request to the Worker, and only objects have `{name}`; "
            "call a method of an object that uses `self.ctx`: `await env.BINDING[name].method()`"
        )
    return _nearest(obj, name, "ctx")


def _of_namespace(_: object, name: str) -> str:
    return f"a namespace is all objects of a class, not one; name the object first: `env.BINDING[name].{name}(...)`"


def _of_operation(_: object, name: str) -> str:
    return f"an operation has its result once it is awaited; write `(await ...).{name}`"


def _nearest(obj: object, name: str, of: str) -> str:
    known = [each for each in dir(type(obj)) if not each.startswith("_")]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"use one of these: {', '.join(sorted(known))}"
    return f"`{name}` is nothing that {of} has in this version; {hint}"


# By name: this module is imported by those that these classes stand on.
_KINDS: Final[Mapping[str, Callable[[object, str], str | None]]] = {
    "perdure.workers.durable_object.DurableObject": _of_object,
    "perdure.workers.execution_context.ExecutionContext": _of_ctx,
    "perdure.workers.state.State": lambda obj, name: _nearest(obj, name, "ctx"),
    "perdure.objects.storage.storage.Storage": lambda obj, name: _nearest(obj, name, "storage"),
    "perdure.workers.namespace.Namespace": _of_namespace,
    "perdure.objects.op.Op": _of_operation,
}
