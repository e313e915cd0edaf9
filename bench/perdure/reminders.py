"""counter.py beside objects that ring: /arm/FIRST/COUNT/AT_MS sets alarms of COUNT objects, /rang tells what became of them."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import counter
from counter import Counter as Counter
from counter import SqlCounter as SqlCounter

from perdure import AlarmInfo, DurableObject, Env, Limits, Namespace, Request, Response

AT_ONCE = 2_000


class Rung:
    """By all objects of this process."""

    times = 0
    early = 0
    first_s = 0.0
    last_s = 0.0


class Reminder(DurableObject["ReminderEnv"]):
    limits = Limits(idle=timedelta(seconds=1))

    async def arm(self, at_ms: int) -> None:
        self.ctx.storage.set_alarm(datetime.fromtimestamp(at_ms / 1000, UTC))

    async def alarm(self, info: AlarmInfo) -> None:
        now_s = time.time()
        Rung.times += 1
        Rung.early += now_s < info.scheduled_time.timestamp()
        Rung.first_s = Rung.first_s or now_s
        Rung.last_s = now_s
        self.ctx.storage.kv.put("rang", self.ctx.storage.kv.get_as(int, "rang", 0) + 1)


class ReminderEnv(Env):
    COUNTER: Namespace[Counter]
    SQL: Namespace[SqlCounter]
    REMINDER: Namespace[Reminder]


async def fetch(request: Request, env: ReminderEnv) -> Response:
    match request.path.split("/")[1:]:
        case ["arm", first, count, at_ms]:
            end = int(first) + int(count)
            for begin in range(int(first), end, AT_ONCE):
                names = range(begin, min(begin + AT_ONCE, end))
                await asyncio.gather(*(env.REMINDER[f"reminder-{number}"].arm(int(at_ms)) for number in names))
            return Response("armed")
        case ["rang"]:
            return Response(f"{Rung.times} {Rung.early} {Rung.last_s - Rung.first_s}")
    return await counter.fetch(request, env)
