"""The program of "Get started with Durable Objects": one object per URL path keeps the text that was posted to it.

$ curl localhost:8787/notes --data 'important data!'
127.0.0.1 stored important data!
$ curl localhost:8787/notes
important data!
"""

# /// wrangler
# name = "get-started"
# main = "get_started.py"
#
# [[durable_objects.bindings]]
# name = "EXAMPLE_CLASS"
# class_name = "DurableObjectExample"
#
# [[migrations]]
# tag = "v1"
# new_classes = ["DurableObjectExample"]
# ///
from perdure import DurableObject, Env, Namespace, Request, Response


class DurableObjectExample(DurableObject["ExampleEnv"]):
    async def fetch(self, request: Request) -> Response:
        kv = self.ctx.storage.kv
        match request.method:
            case "POST" | "PUT":
                text = await request.text()
                kv.put("text", text)
                return Response(f"{request.client_ip} stored {text}")  # leaves once the text is on disk
            case "GET" | "HEAD":
                stored = kv.get_as(str, "text")
                return Response("nothing stored here", 404) if stored is None else Response(stored)
            case _:
                return Response("use GET or POST", 405, headers={"allow": "GET, HEAD, POST, PUT"})


class ExampleEnv(Env):
    EXAMPLE_CLASS: Namespace[DurableObjectExample]


async def fetch(request: Request, env: ExampleEnv) -> Response:
    return await env.EXAMPLE_CLASS[request.path].fetch(request)
