"""The counter of ../workerd/worker.js for Perdure: the same routes, the same storage calls, the same answers.

POST /<name> adds one and answers the new value, GET /<name> reads; POST /new makes an object with a unique id and
answers the id and the value, GET /id/<id> reads it; GET /hello touches no object. /sql/<name> is a counter in a table.
"""

from perdure import DurableObject, Env, Namespace, Request, Response


class Counter(DurableObject["CounterEnv"]):
    async def fetch(self, request: Request) -> Response:
        value = await self.ctx.storage.get("value", 0)
        if request.method == "POST":
            value += 1
            await self.ctx.storage.put("value", value)
        return Response(str(value))


class SqlCounter(DurableObject["CounterEnv"]):
    schema = ("create table counter(name text primary key, value integer not null) without rowid",)

    async def fetch(self, request: Request) -> Response:
        sql = self.ctx.storage.sql
        if request.method == "POST":
            value = sql.exec(
                "insert into counter values('value', 1) on conflict do update set value = value + 1 returning value"
            ).one()["value"]
        else:
            row = sql.exec("select value from counter where name = ?", "value").first()
            value = 0 if row is None else row["value"]
        return Response(str(value))


class CounterEnv(Env):
    COUNTER: Namespace[Counter]
    SQL: Namespace[SqlCounter]


async def fetch(request: Request, env: CounterEnv) -> Response:
    path = request.path
    if path == "/hello":
        return Response("Hello, World!")
    objects = env.COUNTER
    if path.startswith("/id/"):
        return await objects.get(objects.id_from_string(path[4:])).fetch(request)
    if path == "/new":
        id = objects.new_unique_id()
        reply = await objects.get(id).fetch(request)
        return Response(f"{id} {await reply.text()}")
    if path.startswith("/sql/"):
        return await env.SQL.get_by_name(path).fetch(request)
    return await objects.get_by_name(path[1:]).fetch(request)
