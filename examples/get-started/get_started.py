"""One object per URL path keeps the text that was posted to it."""

from perdure import DurableObject, Env, Namespace, Request, Response


class DurableObjectExample(DurableObject["ExampleEnv"]):
    """The text of one path."""

    async def fetch(self, request: Request) -> Response:
        match request.method:
            case "POST" | "PUT":
                text = await request.text()
                self.ctx.storage.kv.put("text", text)
                return Response(f"{request.client_ip} stored {text}")  # leaves once the text is on disk
            case "GET" | "HEAD":
                stored = self.ctx.storage.kv.get_as(str, "text")
                return Response("nothing stored here", 404) if stored is None else Response(stored)
            case _:
                return Response("use GET or POST", 405, headers={"allow": "GET, HEAD, POST, PUT"})


class ExampleEnv(Env):
    EXAMPLE_CLASS: Namespace[DurableObjectExample]


async def fetch(request: Request, env: ExampleEnv) -> Response:
    """The Worker: hands each request to the object that is named like its path."""
    return await env.EXAMPLE_CLASS[request.path].fetch(request)
