"""Each rule of the layers, left out on purpose: the schedules that pass with the real class catch every one of them."""

import msgspec
import pytest

from perdure.core.entry import Entry
from perdure.core.layers import Elsewhere, Group, Layers
from tests.core.layers_schedule import play

SEEDS = 200

pytestmark = pytest.mark.usefixtures("unmeasured")


class FlatNewestWins(Layers):
    """After a failed group, flat values are dropped and not rebuilt from the durable layers."""

    def _rebuild_flat(self, objects: frozenset[bytes], lost: list[Entry]) -> None:
        groups, self._groups = self._groups, type(self._groups)()
        super()._rebuild_flat(objects, lost)
        self._groups = groups


class AppliesTheNewestValue(Layers):
    """Apply takes what the flat map says instead of what the durable groups hold."""

    def batch(self, bytes_max: int, groups_max: int) -> tuple[Group, ...]:
        return tuple(
            Group(group.position, tuple(map(self._newest, group.entries)), group.size_bytes)
            for group in super().batch(bytes_max, groups_max)
        )

    def _newest(self, entry: Entry) -> Entry:
        rows = {}
        for key, value in entry.rows.items():
            held = self.value(entry.generation, key)
            rows[key] = value if isinstance(held, Elsewhere) else held
        return msgspec.structs.replace(entry, rows=rows)


class NoEpoch(Layers):
    """A row that another thread read is taken for current whatever left the layers since."""

    def value_read_elsewhere(
        self, generation: int, key: str, row: bytes | None, epoch: int
    ) -> tuple[bytes | None] | None:
        return super().value_read_elsewhere(generation, key, row, self.epoch)


class NoFence(Layers):
    """Objects of a failed group may speak at once."""

    def _raise_floors(self, objects: frozenset[bytes]) -> None:
        pass


class KeepsEntriesAfterFailure(Layers):
    """What an object wrote on top of the failed group stays in the gathering one."""

    def _drop_gathered(self, objects: frozenset[bytes]) -> list[Entry]:
        return []


class SplitsEntries(Layers):
    """The second row of an entry goes with the next group."""

    def __init__(self) -> None:
        super().__init__()
        self._held_back: list[Entry] = []

    def append(self, entry: Entry, size_bytes: int) -> int:
        first, *rest = entry.rows or {"a": None}
        head = msgspec.structs.replace(entry, rows={first: entry.rows.get(first)})
        tail = Entry(entry.object, 0, entry.generation, {key: entry.rows[key] for key in rest}, entry.record)
        position = super().append(head, head.size_bytes())
        self._put_flat(tail, position)
        self._held_back.append(tail)
        return position

    def seal(self) -> Group | None:
        group = super().seal()
        if group is not None:
            for entry in self._held_back:
                super().append(entry, entry.size_bytes())
            self._held_back.clear()
        return group


class RemovesBeforeItsOwnPositionIsApplied(Layers):
    """A flat value goes with the first apply that covers its key, not with the one that covers its position."""

    def _leave_flat(self, entry, position):
        return super()._leave_flat(entry, self.next_position)


class PagesLeaveTooEarly(Layers):
    """Changes of a page go with the first apply that covers the page, not with the one that covers their position."""

    def _leave_pages(self, generation: int, number: int, position: int) -> None:
        super()._leave_pages(generation, number, self.next_position)


class KeepsPagesOfAFailedGroup(Layers):
    """After a failed group its changes of pages are still read."""

    def _rebuild_flat(self, objects: frozenset[bytes], lost: list[Entry]) -> None:
        pages = {generation: dict(changes) for generation, changes in self._pages.items()}
        super()._rebuild_flat(objects, lost)
        self._pages = pages


class ForgetsThePagesBelowAFailedGroup(Layers):
    """After a failed group changes of pages are dropped and not rebuilt from the durable layers."""

    def _rebuild_flat(self, objects: frozenset[bytes], lost: list[Entry]) -> None:
        super()._rebuild_flat(objects, lost)
        for entry in lost:
            self._pages.pop(entry.generation, None)


class KeepsTheAlarmOfAFailedGroup(Layers):
    """After a failed group the alarm that it set is still the object's."""

    def _rebuild_flat(self, objects: frozenset[bytes], lost: list[Entry]) -> None:
        alarms = dict(self._alarms)
        super()._rebuild_flat(objects, lost)
        self._alarms = alarms


@pytest.mark.parametrize(
    "fault",
    [
        FlatNewestWins,
        AppliesTheNewestValue,
        NoEpoch,
        NoFence,
        KeepsEntriesAfterFailure,
        SplitsEntries,
        RemovesBeforeItsOwnPositionIsApplied,
        PagesLeaveTooEarly,
        KeepsPagesOfAFailedGroup,
        ForgetsThePagesBelowAFailedGroup,
        KeepsTheAlarmOfAFailedGroup,
    ],
)
def test_a_rule_left_out_is_caught_by_the_schedules(fault):
    caught = None
    for seed in range(SEEDS):
        try:
            play(seed, fault())
        except AssertionError as error:
            caught = error
            break

    assert caught is not None, f"{fault.__name__}: {SEEDS} schedules and none noticed"
    print(f"{fault.__name__}: {caught}")
