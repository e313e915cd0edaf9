"""Which objects are in memory and why: what each does, what waits for it, since when, and what takes long.

Made by looking only: it wakes nothing, keeps nothing alive and changes no order. Times in it are good to about a second, the
tick of the namespace's clock. See tests/host/test_local_api.py; the form is described in docs/guides/observability.md.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

from perdure.objects.event import Event
from perdure.objects.instance import Instance
from perdure.objects.origin import number_of
from perdure.objects.residents import Residents
from perdure.workers.worker import Worker

OBJECTS_SHOWN_MAX = 1_000
"""More than anybody reads; a process may hold a hundred thousand, of which the totals tell."""
SLOW_S = 2.0
"""What has run or waited for longer is called slow: twice the error of the times here."""

Json = dict[str, Any]


def overview(worker: Worker) -> Json:
    """The live objects of a Worker, busy ones first, and totals for each class; as JSON can say it."""
    classes: list[Json] = []
    busy: list[Json] = []
    idle: list[Json] = []
    for residents in worker.residents.values():
        look = _Look(residents)
        found = look.objects()
        for shown in found:
            (busy if shown["state"] != "idle" else idle).append(shown)
        classes.append(look.totals(found))
    busy.sort(key=lambda shown: shown["awake_for_s"], reverse=True)
    listed = (busy + idle)[:OBJECTS_SHOWN_MAX]
    left_out = len(busy) + len(idle) - len(listed)
    return {"worker": worker.name, "requests": worker.running_requests} | {
        "classes": classes,
        "objects": listed,
        "objects_left_out": left_out,
    }


class _Look:
    """One look at the objects of one class."""

    def __init__(self, residents: Residents) -> None:
        self._residents = residents
        self._now_s = residents.clock.monotonic()
        self._now_ms = residents.clock.now_ms()

    def totals(self, found: list[Json]) -> Json:
        held_back = self._residents.waiting_for_disk
        oldest = held_back[0][1].arrived_s if held_back else None
        return {
            "class": self._residents.class_name,
            "live": len(found),
            "busy": sum(shown["state"] != "idle" for shown in found),
            "running": sum(len(shown["running"]) for shown in found),
            "queued": sum(shown["queued"] for shown in found),
            "slow": sum(shown["slow"] for shown in found),
            "waiting_for_disk": len(held_back),
            "waiting_for_disk_for_s": None if oldest is None else self._age(oldest),
        }

    def objects(self) -> list[Json]:
        return [self._object(instance) for instance in self._residents.instances]

    def _object(self, instance: Instance) -> Json:
        tasks = dict(instance.tasks or {})
        events = [event for event in tasks.values() if event is not None]
        running = [self._running(event, event.begun_s) for event in events if event.begun_s is not None]
        background = [_name_of(task) for task, event in tasks.items() if event is None]
        oldest_s = self._queued_for(instance, events)
        longest_s = max([oldest_s or 0.0, *(event["for_s"] for event in running)])
        sections = len(instance.gate.top.enclosing())
        state = _state(instance, running, background)
        shown: Json = {
            "class": instance.home.class_name,
            "name": instance.rows.name,
            "id": instance.id.hex,
            "state": state,
            "awake_since": self._wall(instance.awake_since),
            "awake_for_s": self._age(instance.awake_since),
            "running": running,
            "background": background,
            "queued": instance.queued,
            "queued_for_s": oldest_s,
            "open_sections": sections,
            "unsaved": not instance.rows.settled,
            "slow": longest_s >= SLOW_S,
        }
        if state == "idle":
            shown["idle_until"] = self._wall(instance.idle_since + instance.home.limits.idle.total_seconds())
        return shown

    def _running(self, event: Event, begun_s: float) -> Json:
        origin = event.origin
        request = None if origin is None else number_of(origin)
        return {"event": event.what, "since": self._wall(begun_s), "for_s": self._age(begun_s), "request": request}

    def _queued_for(self, instance: Instance, events: list[Event]) -> float | None:
        if not instance.queued:
            return None
        # One whose task has not begun is not among them yet, and no older than the queue.
        waiting = [event.arrived_s for event in events if event.begun_s is None]
        return self._age(min(waiting, default=instance.queued_since))

    def _age(self, since_s: float) -> float:
        return round(max(0.0, self._now_s - since_s), 1)

    def _wall(self, at_s: float) -> str:
        at_ms = self._now_ms + (at_s - self._now_s) * 1000
        return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _state(instance: Instance, running: list[Json], background: list[str]) -> str:
    if instance.starting:
        return "starting"
    if running:
        return "running"
    if instance.events:
        return "queued"
    if background:
        return "background"
    return "idle" if instance.rows.settled else "saving"


def _name_of(task: asyncio.Future[Any]) -> str:
    coroutine = task.get_coro() if isinstance(task, asyncio.Task) else None
    name: str | None = getattr(coroutine, "__qualname__", None)
    return name or type(task).__name__
