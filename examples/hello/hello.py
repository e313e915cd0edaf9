"""The two smallest object classes: one that only exists, and one that answers. Neither needs a base class."""

from perdure import Env, Namespace, NoHandler, Request, Response, State


class Bare:
    """All that a class must have: a constructor that takes its state and its environment."""

    def __init__(self, state: State, env: "HelloEnv") -> None:
        pass


class Hello:
    """The same, with a handler for requests."""

    def __init__(self, state: State, env: "HelloEnv") -> None:
        pass

    async def fetch(self, request: Request) -> Response:
        return Response("Hello World")


class HelloEnv(Env):
    BARE: Namespace[Bare]
    HELLO: Namespace[Hello]


async def fetch(request: Request, env: HelloEnv) -> Response:
    if request.path != "/bare":
        return await env.HELLO["world"].fetch(request)
    try:
        return await env.BARE.stub(env.BARE.id_from_name("world")).fetch(request)
    except NoHandler:
        return Response("Bare does not answer requests", 501)
