from collections.abc import Callable, Iterator
from typing import Any

import apsw
import pytest

from perdure.model.limits import Limits
from perdure.objects.storage.storage import Storage
from tests.objects.sql.counted_files import CountedFiles
from tests.objects.sql.shelf import Shelf
from tests.objects.world import World

Step = Callable[[Storage], Any]
Inside = Callable[..., Any]


@pytest.fixture(autouse=True)
def none_left_open() -> Iterator[None]:
    """What a test leaves open is never freed, since a database and its connection hold each other, and costs later tests."""
    yield
    for connection in apsw.connections():
        if connection.filename == "object":
            connection.close(True)


@pytest.fixture
def files() -> Iterator[CountedFiles]:
    made = CountedFiles()
    yield made
    made.unregister()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def inside(world: World) -> Inside:
    """`inside(step, ...)` runs each function as a step of one object, with its storage; gives what the last one gave.

    What a step raises is raised here as it was.
    """
    return inside_of(world)


def inside_of(world: World) -> Inside:

    def inside(*steps: Step, limits: Limits | None = None) -> Any:
        told: list[Any] = []

        def run(self: Any, step: Step) -> None:
            try:
                told.append(step(self.storage))
            except BaseException as error:
                told.append(error)

        async def scenario() -> None:
            handle = await world.get(HasStorage, limits=limits)
            for step in steps:
                await handle.call(lambda self, step=step: run(self, step))
                if isinstance(told[-1], BaseException):
                    return

        world.run(scenario)
        if isinstance(told[-1], BaseException):
            raise told[-1]
        return told[-1]

    return inside


class HasStorage:
    def __init__(self, ctx: Any) -> None:
        self.storage = ctx.storage
