"""A Worker in a module that tests import themselves."""

from perdure import DurableObject, Env, Namespace, Request


class Counter(DurableObject):
    async def add(self, by: int = 1) -> int:
        kv = self.ctx.storage.kv
        count: int = kv.get("count", 0) + by
        kv.put("count", count)
        return count


class CounterEnv(Env):
    COUNTS: Namespace[Counter]
    GREETING: str


async def fetch(request: Request, env: CounterEnv) -> dict[str, object]:
    return {"greeting": env.GREETING, "count": await env.COUNTS[request.path].add(), "url": request.url}
