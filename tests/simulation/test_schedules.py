"""Objects keep their promises under ten thousand schedules of calls, slow disks, failing commits, evictions and kills.

Each schedule has at least three objects, thirty events and one kill, and is judged against the model in `model.py`. A failure
prints its seed and what the object went through; `PERDURE_SEED=n pytest tests/simulation -k replays_one_seed` replays it.
"""

import os

import pytest

from tests.simulation.actor import INSTRUCTIONS
from tests.simulation.schedule import EVENTS_MIN, play

SEEDS = 10_000
SEEDS_PER_TEST = 250

HAPPENINGS = {
    "constructor",
    "returned",
    "raised",
    "timed out",
    "rolled back",
    "call failed",
    "callback wrote",
    "callback refused",
    "its commit failed",
    "is killed",
    "at some time",
    "at the end",
    "BEFORE_LOG_COMMIT",
    "AFTER_LOG_COMMIT",
    "rejected: ConstructorFailed",
    "rejected: ObjectReset",
    "rejected: Overloaded",
    "rejected: CallCycle",
    "rejected: TimeLimitExceeded",
    "rejected: StorageFull",
    "rejected: StorageBroken",
}


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_PER_TEST))
def test_objects_keep_their_promises_under_every_schedule(first, unmeasured, memory_path):
    for seed in range(first, first + SEEDS_PER_TEST):
        play(seed, memory_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(100))
def test_objects_keep_their_promises_under_as_many_schedules_as_are_asked_for(part, unmeasured, memory_path):
    seeds = int(os.environ.get("PERDURE_SEEDS", "100000"))
    for seed in range(SEEDS + part, SEEDS + seeds, 100):
        play(seed, memory_path)


@pytest.mark.skipif("PERDURE_SEED" not in os.environ, reason="PERDURE_SEED names the seed to replay")
def test_replays_one_seed(unmeasured, memory_path):
    play(int(os.environ["PERDURE_SEED"]), memory_path)


def test_a_seed_replays_its_schedule(unmeasured, memory_path):
    for seed in range(10):
        assert play(seed, memory_path) == play(seed, memory_path)


def test_every_schedule_has_three_objects_thirty_events_and_a_kill(unmeasured, memory_path):
    for seed in range(50):
        trace = play(seed, memory_path)
        objects = {name for _, name, activation, *what in trace if "starts" in what}
        assert len(objects) >= 3
        assert sum("starts" in what for _, _, _, *what in trace) >= EVENTS_MIN
        assert sum("is killed" in what for _, _, _, *what in trace) >= 1


def test_the_schedules_reach_every_kind_of_event(unmeasured, memory_path):
    """A generator that never rolls back, times out or evicts would prove nothing about it."""
    seen = set()
    for seed in range(100):
        for _, _, _, *what in play(seed, memory_path):
            seen.update(word for word in what if isinstance(word, str))

    assert not {*INSTRUCTIONS, *HAPPENINGS} - seen
