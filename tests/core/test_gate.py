"""The input gate decides who runs, without running anything."""

import random

import pytest

from perdure.core.gate import InputGate, Member, Section, Ticket


def test_an_open_gate_admits_its_members_at_once():
    gate = InputGate()

    assert gate.admits(gate)


def test_nobody_is_admitted_while_a_step_runs():
    gate = InputGate()

    gate.running = 1

    assert not gate.admits(gate)
    assert gate.turn() is None


def test_a_waiter_keeps_its_place_until_its_step_has_run():
    gate = InputGate()
    section = gate.open_section(gate)
    first = gate.take_ticket(gate)
    gate.close_section(section)

    assert not gate.admits(gate), "a newcomer overtakes nobody"
    assert gate.turn() is first
    assert gate.admits(gate, first)

    gate.return_ticket(first)
    assert gate.admits(gate)


def test_while_a_section_is_open_only_its_members_run():
    gate = InputGate()

    section = gate.open_section(gate)

    assert gate.admits(section)
    assert not gate.admits(gate)


def test_a_nested_section_shuts_out_the_section_around_it():
    gate = InputGate()
    outer = gate.open_section(gate)

    inner = gate.open_section(outer)

    assert gate.admits(inner)
    assert not gate.admits(outer)
    assert inner.enclosing() == [inner, outer]
    assert inner.depth == 2


def test_members_of_a_section_that_ended_belong_to_its_parent():
    gate = InputGate()
    outer = gate.open_section(gate)
    inner = gate.open_section(outer)

    gate.close_section(inner)

    assert gate.top is outer
    assert gate.admits(inner)
    gate.close_section(outer)
    assert gate.admits(inner) and gate.top is gate


def test_a_section_that_ended_hands_its_waiters_to_its_parent_in_their_order():
    gate = InputGate()
    waiting_outside = gate.take_ticket(gate)
    section = gate.open_section(gate)
    left = [gate.take_ticket(section), gate.take_ticket(section)]

    gate.close_section(section)

    order = []
    while (ticket := gate.turn()) is not None:
        order.append(ticket)
        gate.return_ticket(ticket)
    assert order == [*left, waiting_outside]


def test_a_section_that_queues_ahead_starts_before_ordinary_waiters_and_after_earlier_sections():
    gate = InputGate()
    ordinary = gate.take_ticket(gate)
    first = gate.take_ticket(gate, ahead=True)
    second = gate.take_ticket(gate, ahead=True)

    order = []
    while (ticket := gate.turn()) is not None:
        order.append(ticket)
        gate.return_ticket(ticket)

    assert order == [first, second, ordinary]


def test_everyone_who_waits_in_any_section_is_found_when_the_gate_breaks():
    gate = InputGate()
    outside = gate.take_ticket(gate)
    outer = gate.open_section(gate)
    in_outer = gate.take_ticket(outer)
    inner = gate.open_section(outer)
    in_inner = gate.take_ticket(inner)

    assert set(gate.everyone()) == {outside, in_outer, in_inner}


def test_closing_a_section_twice_changes_nothing():
    gate = InputGate()
    section = gate.open_section(gate)
    gate.close_section(section)
    other = gate.open_section(gate)

    gate.close_section(section)

    assert gate.top is other


def test_a_member_moves_between_sections():
    gate = InputGate()
    member = Member(gate)

    member.section = gate.open_section(gate)

    assert gate.admits(member.section)


@pytest.mark.parametrize("seed", range(200))
def test_tickets_of_one_section_are_served_in_the_order_they_were_taken(seed):
    rng = random.Random(seed)
    gate = InputGate()
    taken: dict[Section, list[Ticket]] = {}
    served: list[Ticket] = []

    for _ in range(60):
        act = rng.random()
        if act < 0.4:
            members = [gate, *gate.top.enclosing()]
            section = rng.choice(members)
            taken.setdefault(section, []).append(gate.take_ticket(section))
        elif act < 0.55 and gate.top.depth < 4:
            gate.open_section(gate.top)
        elif act < 0.7 and gate.top is not gate:
            gate.close_section(gate.top)
        elif (ticket := gate.turn()) is not None:
            assert gate.admits(ticket.section, ticket), seed
            gate.return_ticket(ticket)
            served.append(ticket)

    place = {ticket: i for i, ticket in enumerate(served)}
    for tickets in taken.values():
        order = [place[ticket] for ticket in tickets if ticket in place]
        assert order == sorted(order), seed
