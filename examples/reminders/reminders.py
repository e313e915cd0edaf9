"""Many reminders on the one alarm that an object has: the alarm is always set for the earliest."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

import perdure
from perdure import AlarmInfo, DurableObject, Env, Namespace, Request, Response, ValueMismatch

Moment = Annotated[datetime, msgspec.Meta(tz=True)]  # a time without a zone is refused


class NewReminder(msgspec.Struct, frozen=True):
    at: Moment
    text: str


class Reminder(msgspec.Struct, frozen=True):
    id: int
    at: Moment
    text: str


class Reminders(DurableObject["RemindersEnv"]):
    """The reminders of one user: those that wait, and those that have rung."""

    schema = (
        "create table reminder(id integer primary key, at text not null, text text not null, rang text)",
        "create index reminder_waiting on reminder(at) where rang is null",
    )

    async def add(self, new: NewReminder) -> Reminder:
        query = "insert into reminder(at, text) values(?, ?) returning id, at, text"
        reminder = self.ctx.storage.sql.exec_as(Reminder, query, sortable(new.at), new.text).one()
        self._arm()
        return reminder

    async def waiting(self) -> list[Reminder]:
        return self._all("rang is null")

    async def rung(self) -> list[Reminder]:
        return self._all("rang is not null")

    async def alarm(self, info: AlarmInfo) -> None:
        """Rings what is due. Tried again if it fails, so that it may ring twice, and never not at all."""
        now = sortable(perdure.now())
        self.ctx.storage.sql.exec("update reminder set rang = ? where rang is null and at <= ?", now, now)
        self._arm()

    def _arm(self) -> None:
        query = "select at from reminder where rang is null order by at limit 1"
        earliest = self.ctx.storage.sql.exec_as(datetime, query).first()
        if earliest is None:
            self.ctx.storage.delete_alarm()
        else:
            self.ctx.storage.set_alarm(earliest)  # replaces the one before

    def _all(self, which: str) -> list[Reminder]:
        return self.ctx.storage.sql.exec_as(
            Reminder, f"select id, at, text from reminder where {which} order by at"
        ).to_list()


def sortable(at: datetime) -> str:
    """As fine as an alarm, and in one zone, so that text sorts as time does."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


class RemindersEnv(Env):
    REMINDERS: Namespace[Reminders]


async def fetch(request: Request, env: RemindersEnv) -> Response:
    match (request.method, *request.path.strip("/").split("/")):
        case ("POST", user) if user:
            try:
                new = await request.json_as(NewReminder)
            except ValueMismatch as error:
                return Response(f"{error.path}: {error.why}", 400)
            return Response.from_json(await env.REMINDERS[user].add(new), status=201)
        case ("GET", user) if user:
            return Response.from_json(await env.REMINDERS[user].waiting())
        case ("GET", user, "rung"):
            return Response.from_json([reminder.text for reminder in await env.REMINDERS[user].rung()])
        case _:
            return Response("POST /<user>, GET /<user> or GET /<user>/rung", 404)
