"""Named counters: each is an object, and its methods are called through a stub as if it stood right here."""

from perdure import DurableObject, Env, Namespace, Request, Response


class Counter(DurableObject["CounterEnv"]):
    """One number. Events of one object run one at a time, so reading and writing needs no lock."""

    async def value(self) -> int:
        return self.ctx.storage.kv.get_as(int, "value", 0)

    async def add(self, amount: int) -> int:
        value = await self.value() + amount
        self.ctx.storage.kv.put("value", value)
        return value


class CounterEnv(Env):
    COUNTER: Namespace[Counter]


async def fetch(request: Request, env: CounterEnv) -> Response:
    try:
        by = int(request.query.get("by", "1"))
    except ValueError:
        return Response("'by' must be a whole number", 400)

    match (request.method, *request.path.strip("/").split("/")):
        case ("GET", name) if name:
            value = await env.COUNTER[name].value()
        case ("POST", name, "increment"):
            value = await env.COUNTER[name].add(by)
        case ("POST", name, "decrement"):
            value = await env.COUNTER[name].add(-by)
        case _:
            return Response("GET /<name>, POST /<name>/increment or POST /<name>/decrement", 404)
    return Response.from_json({"value": value})
