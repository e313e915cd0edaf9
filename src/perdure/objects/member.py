"""Which object the running code belongs to, known by a context variable.

Every task of an object carries its `ObjectMember`; code outside of objects has none. It says to whom outgoing calls belong,
not that a step is running: a plain callback inherits the variable and runs outside of any step (see `Instance.touch`).
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from perdure.core.gate import Member, Section

if TYPE_CHECKING:
    from perdure.objects.event import Link
    from perdure.objects.instance import Instance
    from perdure.objects.origin import Origin


class ObjectMember(Member):
    """A task's place in an object: the instance, the section, and the sections that may wait for what it works on."""

    __slots__ = ("chain", "instance", "origin", "task")

    def __init__(
        self, instance: Instance, section: Section, chain: tuple[Link, ...] = (), origin: Origin | None = None
    ) -> None:
        self.section = section
        self.instance = instance
        self.task: asyncio.Task[Any] | None = None
        self.chain = chain
        self.origin = origin

    def child(self) -> ObjectMember:
        """The membership of a task started here."""
        return ObjectMember(self.instance, self.section.effective(), self.chain, self.origin)


CURRENT: ContextVar[ObjectMember | None] = ContextVar("perdure_member", default=None)
