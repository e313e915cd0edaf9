"""Alarms under schedules of calls, failing handlers and disks, and kills: at least once, never early, never lost."""

import logging
import os

import msgspec
import pytest

from perdure.core.entry import Alarm, AlarmChange
from perdure.objects.alarms import alarm_run
from perdure.objects.alarms.alarm_clock import AlarmClock
from perdure.objects.alarms.alarm_run import AlarmRun
from perdure.objects.member import CURRENT
from tests.simulation.alarm_lives import play

SEEDS = 40
SEEDS_MAX = 150

pytestmark = pytest.mark.usefixtures("unmeasured", "unlogged")


@pytest.fixture
def unlogged():
    log = logging.getLogger("perdure.alarm")
    before, log.disabled = log.disabled, True
    yield
    log.disabled = before


def test_alarms_keep_their_promises_under_every_schedule(memory_path):
    for seed in range(SEEDS):
        play(seed, memory_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_alarms_keep_their_promises_under_as_many_schedules_as_are_asked_for(part, memory_path):
    for seed in range(SEEDS + part, SEEDS + int(os.environ.get("PERDURE_SEEDS", "10000")), 10):
        play(seed, memory_path)


@pytest.mark.skipif("PERDURE_SEED" not in os.environ, reason="PERDURE_SEED names the seed to replay")
def test_replays_one_seed(memory_path):
    play(int(os.environ["PERDURE_SEED"]), memory_path)


def test_the_schedules_reach_every_end_of_a_run(memory_path):
    happened = [what for seed in range(15) for _, _, _, *what in play(seed, memory_path)]

    assert {"is killed", "its commit failed"} <= {what[0] for what in happened}
    runs = {(how, failures) for what, _, how, failures in (each for each in happened if each[0] == "runs")}
    assert {how for how, _ in runs} == {"succeed", "raise", "abort", "set", "delete"}
    assert {failures for _, failures in runs} >= {0, 1, 2}


# Rules left out


def what_cannot_be_read_is_forgotten(patch):
    """A store in trouble makes the clock forget."""
    patch.setattr(AlarmClock, "_read_later", lambda self, object: None)


def a_lost_commit_is_no_reason_to_look_again(patch):
    """What was before an alarm that was never stored does not count again."""
    patch.setattr(AlarmClock, "look_again", lambda self, objects: None)


def a_little_early(patch):
    """Half a second before its time, nobody would notice."""
    made = AlarmClock.__init__

    class Fast:
        def __init__(self, clock):
            self.now_ms = lambda: clock.now_ms() + 500
            self.call_later = lambda delay_s, fn: clock.call_later(delay_s, fn)
            self.monotonic = clock.monotonic

    def run(self, target):
        instance = CURRENT.get().instance
        self.alarm = instance.rows.alarm()
        return None if self.alarm is None else self._run(target, instance, self.alarm)

    def fast(self, store, clock, *more, **named):
        made(self, store, Fast(clock), *more, **named)

    patch.setattr(AlarmClock, "__init__", fast)
    patch.setattr(AlarmRun, "run", run)


def failures_are_not_counted(patch):
    """A retry is told that it is the first run."""
    after = alarm_run.after_failed_run

    def uncounted(alarm, *more, **named):
        failed = after(alarm, *more, **named)
        return msgspec.structs.replace(failed, retries=0) if isinstance(failed, Alarm) else failed

    patch.setattr(alarm_run, "after_failed_run", uncounted)


def deleted_before_it_runs(patch):
    """The alarm goes when its handler starts, not with what it writes last."""
    run = AlarmRun._run

    async def deleting(self, target, instance, alarm):
        instance.rows.change_alarm(AlarmChange(None))
        await run(self, target, instance, alarm)

    patch.setattr(AlarmRun, "_run", deleting)


@pytest.mark.parametrize(
    "fault",
    [
        what_cannot_be_read_is_forgotten,
        a_lost_commit_is_no_reason_to_look_again,
        a_little_early,
        failures_are_not_counted,
        deleted_before_it_runs,
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_rule_left_out_is_noticed_by_a_schedule(monkeypatch, fault, memory_path):
    fault(monkeypatch)

    with pytest.raises(AssertionError) as noticed:
        for seed in range(60, 60 + SEEDS_MAX):
            play(seed, memory_path)

    assert noticed.value.__cause__ is not None
    print(str(noticed.value).splitlines()[0])
