"""Whatever an object's code raises, its caller hears of it, and is advised only where Python itself speaks."""

import asyncio

import pytest

from perdure.model.errors import RemoteError

ROOM = """
    class Unshown:
        def __repr__(self):
            raise RuntimeError("cannot be shown")

    class Fixed(Exception):
        remote = property(lambda self: 5)

    class Unflagged(Exception):
        connection = None
        retryable = property(lambda self: 1 / 0)

    class Nameless(OSError):
        filename = property(lambda self: 1 / 0)

    class OfInstances:
        def __get__(self, instance, owner):
            if instance is None:
                raise AttributeError("only of an instance")
            return self

        def __call__(self): ...

    class Room(DurableObject, dict):
        of_instances = OfInstances()

        def __init__(self, ctx, env):
            super().__init__(ctx, env)

        async def without_text(self): raise TypeError(Unshown())

        async def notes(self, notes):
            error = TypeError("noted")
            error.__notes__ = notes
            raise error

        async def fixed(self): raise Fixed("fixed")

        async def unflagged(self):
            error = Unflagged("unflagged")
            error.connection = object()
            raise error

        async def nameless(self): raise Nameless(2, "nameless", "a")

        async def odd_default(self, value=Unshown()): ...

        async def of_a_user(self): raise RuntimeError("Remote host is down")

    async def fetch(request):
        return Response("")
"""


@pytest.mark.parametrize(
    ("method", "args", "kind"),
    [
        ("without_text", (), (TypeError, RemoteError)),
        ("notes", (None,), TypeError),
        ("notes", ([3],), TypeError),
        ("fixed", (), RemoteError),
        ("unflagged", (), RemoteError),
        ("nameless", (), RemoteError),
        ("odd_default", (1, 2), TypeError),
        ("of_instances", (1, 2), TypeError),
        ("update", (1, 2, 3), TypeError),
    ],
)
def test_an_error_that_resists_being_looked_at_reaches_its_caller(world, method, args, kind):
    async def main():
        room = (await world.worker(ROOM, bindings={"ROOMS": "Room"})).env.ROOMS["a"]

        with pytest.raises(kind):
            async with asyncio.timeout(5):
                await getattr(room, method)(*args)

    world.run(main)


def test_a_text_of_the_users_own_is_given_no_advice(world):
    async def main():
        room = (await world.worker(ROOM, bindings={"ROOMS": "Room"})).env.ROOMS["a"]

        with pytest.raises(RuntimeError) as raised:
            await room.of_a_user()

        assert not any(note.startswith("Perdure:") for note in raised.value.__notes__)

    world.run(main)
