"""A request's way through a Worker and its objects and back."""

from tests.workers.world import text_of

COUNTER = """
    class Counter(DurableObject):
        async def increment(self, by=1):
            count = self.ctx.storage.kv.get("count", 0) + by
            self.ctx.storage.kv.put("count", count)
            return count

    async def fetch(request, env):
        return Response(f"{env.GREETING} {await env.COUNTER[request.path].increment()}")
"""


def test_a_request_reaches_the_object_that_its_path_names_and_comes_back(world):
    async def scenario():
        worker = await world.worker(COUNTER, bindings={"COUNTER": "Counter"}, variables={"GREETING": "visits:"})

        first, second = await text_of(worker, "/a"), await text_of(worker, "/a")
        other = await text_of(worker, "/b")

        assert (first, second, other) == ("visits: 1", "visits: 2", "visits: 1")

    world.run(scenario)
