"""counter.py for the memory rows: objects stay live for an hour, and GET /activations tells how many were ever woken.

After every object was asked twice, as many activations as objects mean that none had left memory in between.
"""

from datetime import timedelta

import counter
from counter import SqlCounter as SqlCounter

from perdure import Limits, Request, Response, State

activations = 0


class Counter(counter.Counter):
    limits = Limits(idle=timedelta(hours=1))

    def __init__(self, ctx: State, env: counter.CounterEnv) -> None:
        super().__init__(ctx, env)
        global activations
        activations += 1


async def fetch(request: Request, env: counter.CounterEnv) -> Response:
    if request.path == "/activations":
        return Response(str(activations))
    return await counter.fetch(request, env)
