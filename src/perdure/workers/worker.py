"""A Worker at work: its program, its env, and the live objects of each of its classes.

`Worker.fetch` is what answers a request, whoever read it. See tests/workers/test_worker.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path
from types import CoroutineType
from typing import Any

from perdure.core.clock import Clock
from perdure.model.errors import NoHandler, ObjectAborted, ObjectReset, WrongType
from perdure.model.object_id import IdKey, ObjectId
from perdure.objects.driver import install
from perdure.objects.origin import ORIGIN, RequestNumbers
from perdure.objects.residents import Residents
from perdure.objects.sql.pool import SqlPool
from perdure.objects.state import State as ActivationState
from perdure.store.interface import Store
from perdure.web.request import Request
from perdure.web.response import Response
from perdure.workers.advice import advise
from perdure.workers.class_spec import ClassSpec
from perdure.workers.env import Env, make_env
from perdure.workers.env_annotations import env_classes
from perdure.workers.env_check import fit
from perdure.workers.execution_context import Background, ExecutionContext
from perdure.workers.exports import Exports
from perdure.workers.handler import FunctionHandler, as_response
from perdure.workers.home import Home
from perdure.workers.loader import Program
from perdure.workers.namespace import Namespace
from perdure.workers.shown_calls import ShowingResidents, calls_are_shown
from perdure.workers.state import State

_log = logging.getLogger("perdure.object")
_worker_log = logging.getLogger("perdure.worker")


@dataclass(frozen=True, slots=True)
class Housing:
    """Where the objects of one class live."""

    store: Store
    unique_key: str
    """What identifies the namespace for ever, and makes its ids."""


class Worker:
    """One loaded Worker in this process. Create it on the loop that it is to run on."""

    def __init__(
        self,
        name: str,
        program: Program,
        *,
        housing: Mapping[str, Housing],
        bindings: Mapping[str, str],
        variables: Mapping[str, Any],
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        config: Path | None = None,
    ) -> None:
        """housing: by class name, for every class of the program. bindings: from a binding's name to its class's."""
        self.name = name
        self.program = program
        self.clock = clock
        self.running_requests = 0
        install(asyncio.get_running_loop())
        self.residents: dict[str, Residents] = {}
        self._sql_pool = SqlPool(now_ms=clock.now_ms)
        self._namespaces: dict[str, Namespace[Any]] = {}
        for class_name, spec in program.classes.items():
            self._house(class_name, spec, housing[class_name], random_bytes)
        bound = {binding: self._namespaces[class_name] for binding, class_name in bindings.items()}
        self.env: Env = self._env({**variables, **bound}, config)
        self._background = Background(
            name, clock, self.namespace, RequestNumbers(random_bytes), Exports(name, self._namespaces)
        )

    async def fetch(self, request: Request) -> Response:
        """Answer a request with the Worker's handler. Raises what that raises; NoHandler if the Worker has none."""
        handler = self.program.handler
        if handler is None:
            raise NoHandler(
                what=f"the Worker {self.name} cannot answer {request.method} {request.path}",
                why="its main module has no fetch handler",
                next_step="write `async def fetch(request, env)` in it",
            )
        ctx = ExecutionContext(self._background)
        ORIGIN.set(ctx)
        self.running_requests += 1
        try:
            result = handler.call(request, self.env, ctx)
            if type(result) is not Response:
                if type(result) is CoroutineType or isawaitable(result):
                    result = await result
                if type(result) is not Response:
                    result = as_response(result, handler.label, handler.function)
            return result
        except ObjectAborted as aborted:
            raise ObjectReset(
                what=f"the Worker {self.name} gave up {request.method} {request.path}",
                why=aborted.reason or "it called ctx.abort()",
            ) from None
        except Exception as error:
            advise(error)
            raise
        finally:
            self.running_requests -= 1
            ctx.replied()

    def namespace(self, cls: type[Any], /) -> Namespace[Any]:
        """The namespace of an object class of this Worker. Raises WrongType for any other."""
        for class_name, spec in self.program.classes.items():
            if spec.cls is cls:
                return self._namespaces[class_name]
        raise WrongType(
            what=f"{cls!r} is not an object class of the Worker {self.name}",
            why=f"its classes are: {', '.join(self._namespaces) or 'none'}",
            next_step="name the class in a binding of the configuration",
        )

    async def close(self, grace_s: float = 10.0) -> None:
        """Wait for background work and running events, then end the objects and forget the code. Stores stay open.

        What has not ended after `grace_s`, all together, is cancelled or disconnected.
        """
        ends_at = self.clock.monotonic() + grace_s
        await self._background.drain(grace_s)
        left_s = max(0.0, ends_at - self.clock.monotonic())
        await asyncio.gather(*(residents.close(left_s) for residents in self.residents.values()))
        await asyncio.get_running_loop().run_in_executor(None, self._sql_pool.close)
        self.program.modules.close()

    def _env(self, values: Mapping[str, Any], config: Path | None) -> Env:
        program = self.program
        function = program.handler.function if isinstance(program.handler, FunctionHandler) else None
        named = env_classes(function, [spec.cls for spec in (*program.entrypoints.values(), *program.classes.values())])
        for annotation in named.unknown:
            _worker_log.warning(
                "%s: the env annotation %s is not checked: what it names does not exist at run time; "
                "import it outside of `if TYPE_CHECKING`",
                self.name,
                annotation,
            )
        fitted = fit(values, named.classes, config=config)
        return make_env(fitted, where="" if config is None else str(config), classes=named.classes)

    def _house(self, class_name: str, spec: ClassSpec, housing: Housing, random_bytes: Callable[[int], bytes]) -> None:
        def make(state: ActivationState) -> object:
            return spec.cls(State(state, self._background), self.env)

        residents = (ShowingResidents if calls_are_shown() else Residents)(
            class_name=class_name,
            store=housing.store,
            clock=self.clock,
            limits=spec.limits,
            make=make,
            report=_reporter(class_name),
            sql_pool=self._sql_pool,
            schema=spec.schema,
            alarm=spec.hooks["alarm"].call if "alarm" in spec.hooks else None,
            jitter=lambda: int.from_bytes(random_bytes(2), "big") / 65_536,
        )
        self.residents[class_name] = residents
        self._namespaces[class_name] = Namespace(
            Home(spec, residents, IdKey(housing.unique_key), self.program.modules, random_bytes, spec.results)
        )


def _reporter(class_name: str) -> Callable[[str, ObjectId, BaseException], None]:
    def report(what: str, id: ObjectId, error: BaseException) -> None:
        advise(error)
        _log.error("%s/%s: %s", class_name, id.name or id.hex, what, exc_info=error)

    return report
