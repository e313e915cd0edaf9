"""Who is told what, when a group becomes durable or fails."""

from perdure.core.waiting import Waiter, Waiting
from perdure.model.errors import StorageBroken

A, B = b"a" * 32, b"b" * 32
LOST = StorageBroken(what="lost")


class Told:
    """Remembers who was released, in order."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.waiting = Waiting()

    def add(self, awaited: int, object: bytes, position: int, name: str) -> None:
        self.waiting.add(awaited, Waiter(object, position, lambda _: self.names.append(name)))


def test_all_who_wait_for_a_durable_position_or_an_older_one_are_released_in_order():
    told = Told()
    told.add(2, A, 2, "second")
    told.add(1, B, 1, "first")
    told.add(2, B, 2, "third")
    told.add(3, A, 3, "later")

    for release in told.waiting.take_durable(2):
        release(None)

    assert told.names == ["first", "second", "third"]
    assert len(told.waiting) == 1


def test_a_failed_group_tells_its_objects_wherever_they_wait():
    told = Told()
    told.add(1, A, 1, "in the group")
    told.add(2, A, 2, "built on it")
    told.add(2, B, 2, "not concerned")

    for release in told.waiting.take_failed(frozenset({A}), 1, 2):
        release(LOST)

    assert told.names == ["in the group", "built on it"]
    assert len(told.waiting) == 1


def test_who_only_waited_for_a_fence_that_failed_waits_for_the_next_one_before_newer_ones():
    told = Told()
    told.add(4, B, 2, "waits for the fence")
    told.add(5, A, 5, "newer")

    assert told.waiting.take_failed(frozenset(), 4, 5) == []
    for release in told.waiting.take_durable(5):
        release(None)

    assert told.names == ["waits for the fence", "newer"]


def test_everybody_can_be_told_at_the_end():
    told = Told()
    told.add(2, A, 2, "second")
    told.add(1, B, 1, "first")

    for release in told.waiting.take_all():
        release(LOST)

    assert told.names == ["first", "second"]
    assert len(told.waiting) == 0
