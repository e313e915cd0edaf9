"""Named counters: GET /<name>, POST /<name>/increment?by=5, POST /<name>/decrement."""

# /// wrangler
# name = "counter"
# main = "counter.py"
#
# [[durable_objects.bindings]]
# name = "COUNTER"
# class_name = "Counter"
#
# [[migrations]]
# tag = "v1"
# new_sqlite_classes = ["Counter"]
# ///
from perdure import DurableObject, Env, Namespace, Request, Response


class Counter(DurableObject["CounterEnv"]):
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
            return Response("GET /<name>, POST /<name>/increment or /<name>/decrement", 404)
    return Response.from_json({"value": value})
