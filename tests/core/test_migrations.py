"""Migrations: what a list leads to, and that data follows its class however the entries are spread over starts."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.core.migrations import (
    Departure,
    Irregular,
    Migration,
    MigrationPlan,
    Rename,
    StorageKind,
    Transfer,
    fold,
    pending,
    plan,
)
from perdure.model.errors import ConfigError

SEED_EXAMPLE = (
    Migration("v1", new_classes=("DurableObjectExample",)),
    Migration(
        "v2",
        renamed_classes=(Rename("DurableObjectExample", "UpdatedName"),),
        deleted_classes=("DeprecatedClass",),
    ),
)


def new(tag, *names):
    return Migration(tag, new_sqlite_classes=names)


def renamed(tag, *pairs):
    return Migration(tag, renamed_classes=tuple(Rename(*pair) for pair in pairs))


def irregular(entries):
    return [
        (remark.irregular, remark.entry, remark.key, remark.item, remark.class_name) for remark in fold(entries).remarks
    ]


# Folding: MIG-39, MIG-42


def test_a_created_class_exists_with_the_kind_that_it_was_created_with():
    folded = fold([Migration("v1", new_classes=("A",), new_sqlite_classes=("B",))])

    assert folded.classes == {"A": StorageKind.KEY_VALUE, "B": StorageKind.SQLITE}
    assert folded.remarks == ()


def test_a_renamed_class_keeps_its_kind():
    folded = fold([Migration("v1", new_classes=("A",)), renamed("v2", ("A", "B"))])

    assert folded.classes == {"B": StorageKind.KEY_VALUE}
    assert folded.departed == {"A": Departure(1, renamed_to="B")}


def test_the_second_example_of_the_get_started_page_ends_with_the_updated_name_alone():
    folded = fold(SEED_EXAMPLE)

    assert list(folded.classes) == ["UpdatedName"]
    assert irregular(SEED_EXAMPLE) == [(Irregular.DELETES_UNKNOWN, 1, "deleted_classes", 0, "DeprecatedClass")]


def test_a_deleted_class_is_known_to_have_been_deleted_until_it_is_created_again():
    gone = [new("v1", "A"), Migration("v2", deleted_classes=("A",))]

    assert fold(gone).departed == {"A": Departure(1, renamed_to=None)}
    assert fold([*gone, new("v3", "A")]).departed == {}


def test_two_classes_may_swap_their_names_in_one_entry():
    entries = [Migration("v1", new_classes=("A",), new_sqlite_classes=("B",)), renamed("v2", ("A", "B"), ("B", "A"))]

    assert fold(entries).classes == {"B": StorageKind.KEY_VALUE, "A": StorageKind.SQLITE}
    assert fold(entries).remarks == ()


def test_a_class_may_be_deleted_and_another_take_its_name_in_one_entry():
    entry = Migration("v2", deleted_classes=("B",), renamed_classes=(Rename("A", "B"),))

    assert list(fold([new("v1", "A", "B"), entry]).classes) == ["B"]
    assert fold([new("v1", "A", "B"), entry]).remarks == ()


def test_an_entry_with_a_tag_only_is_legal():
    assert fold([Migration("v1")]).remarks == ()


@pytest.mark.parametrize(
    ("entry", "remark"),
    [
        (new("v2", "A"), (Irregular.CREATES_EXISTING, 1, "new_sqlite_classes", 0, "A")),
        (Migration("v2", new_classes=("B", "A")), (Irregular.CREATES_EXISTING, 1, "new_classes", 1, "A")),
        (renamed("v2", ("X", "Y")), (Irregular.RENAMES_UNKNOWN, 1, "renamed_classes", 0, "X")),
        (renamed("v2", ("A", "C")), (Irregular.RENAMES_ONTO_EXISTING, 1, "renamed_classes", 0, "C")),
    ],
    ids=["creates what exists", "creates what exists, second", "renames the unknown", "renames onto what exists"],
)
def test_what_an_entry_cannot_do_is_remarked_with_its_place(entry, remark):
    assert irregular([new("v1", "A", "C"), entry]) == [remark]


def test_one_slip_is_remarked_once_and_not_by_every_entry_after_it():
    entries = [renamed("v1", ("Typo", "B")), renamed("v2", ("B", "C"))]

    assert [remark.irregular for remark in fold(entries).remarks] == [Irregular.RENAMES_UNKNOWN]


def test_a_transferred_class_exists_without_what_the_other_worker_stored():
    entries = [Migration("v1", transferred_classes=(Transfer("other", "A", "B"),))]

    assert list(fold(entries).classes) == ["B"]
    assert irregular(entries) == [(Irregular.TRANSFERS, 0, "transferred_classes", 0, "B")]


# Which entries are pending: the table of deploy 2.2, MIG-9, MIG-11


def test_everything_is_pending_where_nothing_was_applied():
    assert pending(SEED_EXAMPLE, None) == SEED_EXAMPLE


def test_what_follows_the_applied_tag_is_pending():
    assert pending(SEED_EXAMPLE, "v1") == SEED_EXAMPLE[1:]


def test_nothing_is_pending_at_the_last_tag():
    assert pending(SEED_EXAMPLE, "v2") == ()


def test_tags_are_names_and_their_order_is_that_of_the_list():
    entries = [new("zebra", "A"), new("Ant", "B"), new("ant", "C")]

    assert pending(entries, "Ant") == entries[2:]


@pytest.mark.parametrize("entries", [SEED_EXAMPLE, ()], ids=["other tags", "no list"])
def test_an_applied_tag_that_the_list_lost_is_refused_and_nothing_is_replayed(entries):
    with pytest.raises(ConfigError) as caught:
        plan(["A"], entries, "v0", where="wrangler.toml")

    tags = ", ".join(entry.tag for entry in entries) or "none"
    assert caught.value.what == 'the data is at the migration "v0", which the configuration does not have'
    assert caught.value.where == "wrangler.toml"
    assert caught.value.why == f"its tags are: {tags}"
    assert 'tag = "v0" back' in caught.value.next_step
    assert "--persist-to" in caught.value.next_step


# Planning: MIG-13, MIG-40, MIG-41


def test_a_first_start_creates_what_the_list_leads_to():
    assert plan([], SEED_EXAMPLE, None) == MigrationPlan(creates=("UpdatedName",), new_tag="v2")


def test_a_start_with_nothing_pending_changes_nothing():
    assert plan(["UpdatedName"], SEED_EXAMPLE, "v2") == MigrationPlan()


def test_a_rename_takes_the_data_along():
    assert plan(["DurableObjectExample"], SEED_EXAMPLE, "v1") == MigrationPlan(
        renames=(("DurableObjectExample", "UpdatedName"),), new_tag="v2"
    )


def test_a_deleted_class_loses_its_data():
    entries = [*SEED_EXAMPLE[:1], Migration("v2", deleted_classes=("DurableObjectExample",))]

    assert plan(["DurableObjectExample"], entries, "v1") == MigrationPlan(
        deletes=("DurableObjectExample",), new_tag="v2"
    )


def test_pending_steps_that_cancel_each_other_are_not_done():
    entries = [new("v1", "A", "B"), Migration("v2", deleted_classes=("A",)), renamed("v3", ("B", "C"))]

    assert plan([], entries, None) == MigrationPlan(creates=("C",), new_tag="v3")


def test_two_renames_in_a_row_are_one():
    entries = [new("v1", "A"), renamed("v2", ("A", "B")), renamed("v3", ("B", "C"))]

    assert plan(["A"], entries, "v1").renames == (("A", "C"),)


def test_a_class_that_is_deleted_and_created_again_begins_empty():
    entries = [new("v1", "A"), Migration("v2", deleted_classes=("A",)), new("v3", "A")]

    assert plan(["A"], entries, "v1") == MigrationPlan(creates=("A",), deletes=("A",), new_tag="v3")


def test_a_bound_class_that_no_entry_mentions_is_created():
    assert plan([], [], None, ["Bound"]) == MigrationPlan(creates=("Bound",))


def test_a_class_that_no_entry_and_no_binding_mentions_any_more_keeps_its_data():
    assert plan(["Forgotten"], [], None, []) == MigrationPlan()


def test_the_data_of_a_class_that_was_only_bound_stays_when_an_entry_creates_it_later():
    assert plan(["A"], [new("v1", "A")], None) == MigrationPlan(new_tag="v1")


def test_the_data_of_a_class_that_was_only_bound_follows_a_rename():
    entries = [new("v1", "A"), renamed("v2", ("A", "B"))]

    assert plan(["A"], entries, None) == MigrationPlan(renames=(("A", "B"),), new_tag="v2")


def test_a_rename_of_a_class_that_has_no_data_here_creates_the_new_one():
    assert plan([], [new("v1", "Edited"), renamed("v2", ("A", "B"))], "v1") == MigrationPlan(
        creates=("B",), new_tag="v2"
    )


def test_a_rename_onto_a_class_with_data_is_refused_and_shows_how_to_choose():
    entries = [new("v1", "Room"), renamed("v2", ("Room", "Hall"))]

    with pytest.raises(ConfigError) as caught:
        plan(["Room", "Hall"], entries, "v1", ["Hall"], where="wrangler.toml")

    (problem,) = caught.value.problems
    assert caught.value.where == "wrangler.toml"
    assert 'the migration "v2" renames Room to Hall, but both have objects here' in problem
    assert 'deleted_classes = ["Hall"]' in problem


def test_what_the_refusal_shows_works():
    entries = [
        new("v1", "Room"),
        Migration("v2", renamed_classes=(Rename("Room", "Hall"),), deleted_classes=("Hall",)),
    ]

    assert plan(["Room", "Hall"], entries, "v1") == MigrationPlan(
        renames=(("Room", "Hall"),), deletes=("Hall",), new_tag="v2"
    )


# Properties, against a model that knows namespaces only by number

NAMES = ("A", "B", "C", "D")


@st.composite
def sound_lists(draw):
    """Lists of entries in which every directive meets the classes that it needs."""
    entries, classes = [], set()
    for position in range(draw(st.integers(1, 6))):
        deleted = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2)) if classes else []
        classes -= set(deleted)
        sources = draw(st.lists(st.sampled_from(sorted(classes)), unique=True)) if classes else []
        free = [name for name in NAMES if name not in classes - set(sources)]
        targets = draw(st.permutations(free))[: len(sources)]
        pairs = [(source, target) for source, target in zip(sources, targets, strict=True) if source != target]
        unmoved = {source for source, target in zip(sources, targets, strict=True) if source == target}
        classes = classes - set(sources) | set(targets) | unmoved
        created = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2).map(lambda names: names))
        created = [name for name in created if name not in classes]
        classes |= set(created)
        entries.append(
            Migration(
                f"t{position}",
                new_classes=tuple(created),
                renamed_classes=tuple(Rename(*pair) for pair in pairs),
                deleted_classes=tuple(deleted),
            )
        )
    return entries


def by_hand(namespaces, entry, numbers):
    """One entry, done to a table from class to namespace, as one would with pencil and paper."""
    kept = {name: number for name, number in namespaces.items() if name not in entry.deleted_classes}
    sources = {rename.source for rename in entry.renamed_classes}
    after = {name: number for name, number in kept.items() if name not in sources}
    after |= {rename.target: kept[rename.source] for rename in entry.renamed_classes}
    return after | {name: next(numbers) for name in entry.new_classes}


def carried_out(namespaces, changes, numbers):
    """A plan, done to the same table."""
    moved = dict(changes.renames)
    kept = {name: number for name, number in namespaces.items() if name not in changes.deletes}
    after = {moved.get(name, name): number for name, number in kept.items()}
    assert len(after) == len(kept), "two namespaces became one"
    assert not set(changes.creates) & set(after)
    return after | {name: next(numbers) for name in changes.creates}


def old_ones(namespaces):
    """Namespaces numbered below 1000, those that were there before; a new one only counts as new."""
    return {name: number if number < 1000 else None for name, number in namespaces.items()}


@given(sound_lists())
def test_a_sound_list_leads_to_the_classes_of_its_entries_done_by_hand(entries):
    namespaces = {}
    for entry in entries:
        namespaces = by_hand(namespaces, entry, count())

    folded = fold(entries)

    assert set(folded.classes) == set(namespaces)
    assert {remark.irregular for remark in folded.remarks} <= {Irregular.DELETES_UNKNOWN}


@given(sound_lists(), st.data())
def test_one_plan_of_many_entries_keeps_the_same_data_as_the_entries_one_by_one(entries, data):
    done = data.draw(st.integers(0, len(entries)), label="entries applied before")
    numbers = count()
    before = {}
    for entry in entries[:done]:
        before = by_hand(before, entry, numbers)
    expected, later = before, count(1000)
    for entry in entries[done:]:
        expected = by_hand(expected, entry, later)

    changes = plan(before, entries, entries[done - 1].tag if done else None)

    assert old_ones(carried_out(before, changes, count(1000))) == old_ones(expected)
    assert changes.new_tag == (entries[-1].tag if done < len(entries) else None)


@given(sound_lists(), st.data())
def test_however_many_starts_the_entries_are_spread_over_the_classes_are_those_of_the_fold(entries, data):
    stops = [*sorted(data.draw(st.sets(st.integers(1, len(entries))), label="starts after")), len(entries)]
    namespaces, tag = {}, None
    for stop in stops:
        changes = plan(namespaces, entries[:stop], tag)
        namespaces = carried_out(namespaces, changes, count())
        tag = changes.new_tag or tag

    assert set(namespaces) == set(fold(entries).classes)
    assert plan(namespaces, entries, tag) == MigrationPlan()


@given(st.lists(sound_lists(), min_size=2, max_size=2), st.sets(st.sampled_from(NAMES)))
def test_no_namespace_goes_unless_an_entry_deletes_its_class(lists, existing):
    entries = [
        Migration(f"{entry.tag}-{number}", *fields(entry)) for number, each in enumerate(lists) for entry in each
    ]
    try:
        changes = plan(existing, entries, None)
    except ConfigError:
        return

    if not any(entry.deleted_classes for entry in entries):
        assert not changes.deletes


def fields(entry):
    return entry.new_classes, entry.new_sqlite_classes, entry.renamed_classes, entry.deleted_classes
