"""The schedules miss no rule that is left out: each fault is found by one of the first few hundred seeds.

The faults are planted into the classes that production imports. A fault of the gates, the units or the layers that no schedule
notices would say that the ten thousand prove less than they seem to.
"""

from pathlib import Path

import pytest

from perdure.core.gate import InputGate
from perdure.core.layers import Layers
from perdure.objects.instance import Instance
from perdure.objects.residents import Residents
from perdure.objects.rows import Rows
from tests.core import test_layers_faults as layers_faults
from tests.objects import test_planted_faults as objects_faults
from tests.simulation.schedule import play

SEEDS_MAX = 600

pytestmark = pytest.mark.usefixtures("unmeasured")


def nothing_kept_for_who_follows_a_reset(patch):
    """An instance that follows a reset takes what it reads for durable."""
    patch.setattr(Rows, "follow", lambda self, position: None)


def writes_of_a_reset_step_are_sealed(patch):
    """A reset seals what its step had written instead of dropping it."""
    shut = Rows.shut

    def seal_and_shut(self, error):
        if self.savepoints is None:
            self.seal()
        shut(self, error)

    patch.setattr(Rows, "shut", seal_and_shut)


def rollback_keeps_what_was_written(patch):
    """A transaction that raises commits."""
    patch.setattr(Rows, "roll_back", Rows.commit)


def transaction_sealed_by_its_steps(patch):
    """Each step inside a transaction is a unit of its own."""
    end_step = Instance.end_step

    def seal_always(self):
        if self.gate.running == 1 and self.rows.unit is not None and not self.rows.in_transaction_sync:
            self.seal()
        end_step(self)

    patch.setattr(Instance, "end_step", seal_always)


def open_section_admits_everybody(patch):
    """A critical section keeps nobody out."""

    def admits(self, section, ticket=None):
        return not self.running and (not self.top.waiting or self.top.waiting[0] is ticket)

    patch.setattr(InputGate, "admits", admits)


def evicted_with_work_unsaved(patch):
    """An instance is evicted although what it wrote is not durable, and its successor does not know."""
    patch.setattr(Rows, "settled", property(lambda self: self.unit is None))


def failed_group_resets_nobody(patch):
    """Objects whose group failed live on with what they remember."""
    patch.setattr(Residents, "_store_failed", lambda self, objects, error: None)


FAULTS = [
    objects_faults.reply_before_durable,
    objects_faults.unit_per_loop_turn,
    objects_faults.number_only_output_gate,
    objects_faults.no_ticket_kept,
    objects_faults.no_gate_after_a_fetch,
    objects_faults.eager_user_tasks,
    objects_faults.cancellation_outside_the_gate,
    nothing_kept_for_who_follows_a_reset,
    writes_of_a_reset_step_are_sealed,
    rollback_keeps_what_was_written,
    transaction_sealed_by_its_steps,
    open_section_admits_everybody,
    evicted_with_work_unsaved,
    failed_group_resets_nobody,
]

FAULTS_OF_LAYERS = [
    layers_faults.KeepsEntriesAfterFailure,
    layers_faults.NoFence,
    layers_faults.FlatNewestWins,
    layers_faults.AppliesTheNewestValue,
]


def first_seed_that_notices(folder: Path, layers: type[Layers] = Layers) -> tuple[int, AssertionError] | None:
    for seed in range(SEEDS_MAX):
        try:
            play(seed, folder, layers=layers)
        except AssertionError as broken:
            if "unhandled" not in str(broken).splitlines()[0]:  # what a plant leaves about is no promise broken
                return seed, broken
    return None


def judge(found: tuple[int, AssertionError] | None) -> None:
    assert found is not None, f"{SEEDS_MAX} schedules, and none noticed"
    seed, broken = found
    cause = broken.__cause__
    assert not isinstance(cause, AttributeError | NameError | TypeError), f"the plant itself is broken: {cause!r}"
    print(f"seed {seed}: {str(broken).splitlines()[0]}")


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.__name__ for fault in FAULTS])
@pytest.mark.filterwarnings("ignore")
def test_a_rule_left_out_is_noticed_by_a_schedule(monkeypatch, fault, memory_path):
    fault(monkeypatch)

    judge(first_seed_that_notices(memory_path))


@pytest.mark.parametrize("fault", FAULTS_OF_LAYERS)
@pytest.mark.filterwarnings("ignore")
def test_a_rule_of_the_layers_left_out_is_noticed_by_a_schedule(fault, memory_path):
    judge(first_seed_that_notices(memory_path, fault))
