"""Each rule of the objects, left out on purpose, is missed by a test: a checker that stays green is a broken checker.

The faults are planted from here, into the classes that production imports. Those of the store are in tests/store and
tests/core.
"""

import asyncio

import msgspec
import pytest

from perdure.core.entry import ObjectRecord
from perdure.core.gate import InputGate
from perdure.objects import driver
from perdure.objects.driver import Driven, DriverFactory
from perdure.objects.instance import Instance
from perdure.objects.member import CURRENT
from perdure.objects.outbox import Outbox
from perdure.objects.residents import Residents
from perdure.objects.rows import Rows
from perdure.objects.storage import codec, kv
from tests.objects import test_driver, test_lifecycle, test_output_gate, test_scenarios, test_storage
from tests.objects.world import World


def no_ticket_kept(patch):
    """A woken waiter gives its place up before it has run."""

    def turn(self):
        waiting = None if self.running else self.top.waiting
        if not waiting:
            return None
        ticket = waiting.popleft()
        if not waiting:
            self.top.waiting = None
        return ticket

    def admits(self, section, ticket=None):
        return not self.running and section.effective() is self.top and (ticket is not None or not self.top.waiting)

    def return_ticket(self, ticket):
        if ticket.section.waiting and ticket in ticket.section.waiting:
            ticket.section.waiting.remove(ticket)
            ticket.section.waiting = ticket.section.waiting or None

    patch.setattr(InputGate, "turn", turn)
    patch.setattr(InputGate, "admits", admits)
    patch.setattr(InputGate, "return_ticket", return_ticket)


def eager_user_tasks(patch):
    """A task that user code starts runs its first step inside the step that starts it."""
    start = DriverFactory._start_member

    def start_member(self, loop, coroutine, member, options):
        first = coroutine.send(None)

        class Rest:
            def __await__(self):
                yield first
                while True:
                    try:
                        step = coroutine.send(None)
                    except StopIteration as stop:
                        return stop.value
                    yield step

        async def rest():
            return await Rest()

        return start(self, loop, rest(), member, options)

    patch.setattr(DriverFactory, "_start_member", start_member)


def number_only_output_gate(patch):
    """An output compares its position only, and not whether an older one waits for the same destination."""

    def send(self, deliver, fail):
        member = CURRENT.get()
        if member is None:
            deliver()
        else:
            member.instance.rows.hold(lambda failed: deliver() if failed is None else fail(failed))

    patch.setattr(Outbox, "send", send)


def unit_per_loop_turn(patch):
    """Writes are sealed at the end of the loop's turn, whichever steps ran in it."""

    def end_step(self):
        self.gate.running -= 1
        if self.rows.unit is not None and self.rows.savepoints is None:
            asyncio.get_running_loop().call_soon(self.seal)
        ticket = self.gate.turn()
        if ticket is not None and ticket.wake is not None:
            ticket.wake()

    patch.setattr(Instance, "end_step", end_step)


def cancellation_outside_the_gate(patch):
    """A cancellation that arrives at the gate reaches user code without waiting to be admitted."""

    def wait(gate, section, ticket=None):
        ticket = ticket or gate.take_ticket(section)
        try:
            while gate.broken is None and not gate.admits(section, ticket):
                future = asyncio.get_running_loop().create_future()
                ticket.wake = lambda future=future: future.done() or future.set_result(None)
                try:
                    yield from future
                except asyncio.CancelledError as cancelled:
                    return cancelled
        finally:
            gate.return_ticket(ticket)
        return None

    patch.setattr(driver, "wait_at_gate", wait)


def no_gate_after_a_fetch(patch):
    """Only the first step of a task passes the gate; what follows a wait runs whenever the loop resumes it."""

    def __await__(self):
        gate = self.member.instance.gate
        ticket, self.ticket = self.ticket, None
        if ticket is not None or not gate.admits(self.member.section):
            yield from driver.wait_at_gate(gate, self.member.section, ticket)
        while True:
            gate.running += 1
            try:
                yielded = self.coroutine.send(None)
            except StopIteration as stop:
                return stop.value
            finally:
                self.member.instance.end_step()
            yield yielded

    patch.setattr(Driven, "__await__", __await__)


def reply_before_durable(patch):
    """A result leaves at once."""
    patch.setattr(Rows, "release_when_confirmed", lambda self, release: release(None))


def msgspecs_own_tuple(patch):
    """Values go to msgspec as they are, which makes lists of tuples."""
    patch.setattr(codec, "encode", lambda value, path: msgspec.msgpack.encode(value))
    patch.setattr(codec, "decode", msgspec.msgpack.decode)
    patch.setattr(kv, "decode", msgspec.msgpack.decode)


def name_lost(patch):
    """The first write does not keep the name by which the object was reached."""

    def begin(self):
        self.generation = self._store.new_generation()
        self.record = ObjectRecord(self.generation, None, 0)

    patch.setattr(Rows, "_begin_to_exist", begin)


def queue_without_bound(patch):
    """Whatever arrives is queued."""
    patch.setattr(Residents, "_refusal", lambda self, instance, event: None)


FAULTS = [
    (no_ticket_kept, test_driver.test_a_woken_waiter_is_not_overtaken_by_an_event_that_arrives_meanwhile),
    (eager_user_tasks, test_driver.test_a_task_that_an_object_starts_begins_after_the_step_that_started_it),
    (
        number_only_output_gate,
        test_output_gate.test_calls_through_one_stub_start_in_order_though_one_is_held_and_the_next_is_free,
    ),
    (
        unit_per_loop_turn,
        test_driver.test_what_a_step_wrote_is_sealed_when_it_ends_not_when_the_turn_of_the_loop_does,
    ),
    (
        cancellation_outside_the_gate,
        test_driver.test_a_cancellation_that_arrives_at_the_gate_is_delivered_inside,
    ),
    (
        no_gate_after_a_fetch,
        test_driver.test_an_event_that_waited_outside_does_not_go_on_inside_anothers_section,
    ),
    (
        reply_before_durable,
        test_scenarios.test_scenario_11_a_result_waits_for_the_write_before_it_and_an_earlier_call_does_not,
    ),
    (msgspecs_own_tuple, test_storage.test_a_value_comes_back_as_what_it_was),
    (name_lost, test_lifecycle.test_the_name_is_that_by_which_the_object_was_first_written_to),
    (queue_without_bound, test_lifecycle.test_events_over_the_queue_limit_are_refused_as_overloaded),
]


@pytest.mark.parametrize(("fault", "checker"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
@pytest.mark.filterwarnings("ignore")
def test_a_planted_fault_is_caught_by_its_test(tmp_path, monkeypatch, fault, checker):
    checker(World(tmp_path / "sound"))
    fault(monkeypatch)

    with pytest.raises((AssertionError, pytest.fail.Exception, Exception)) as caught:
        checker(World(tmp_path / "faulty"))

    assert not isinstance(caught.value, AttributeError | NameError), "the plant itself is broken"
