"""The list of migrations: shapes, tags, and what it means for the classes that are bound."""

import pytest

from perdure.config import ClassDecl
from perdure.core.migrations import Migration, Rename, StorageKind, Transfer
from tests.config.conftest import FINE

V1 = '[[migrations]]\ntag = "v1"\nnew_classes = ["Room"]\n'
"""Lines 3 to 5; what follows begins on line 6."""
BOUND = 'durable_objects.bindings = [{ name = "ROOM", class_name = "Room" }]\n'
"""Line 3."""


def test_all_directives_of_an_entry_are_read(folder):
    text = (
        'new_sqlite_classes = ["Hall"]\nrenamed_classes = [{ from = "Old", to = "New" }]\ndeleted_classes = ["Gone"]\n'
        'transferred_classes = [{ from = "A", from_script = "other", to = "B" }]\n'
    )

    project = folder.load(FINE + '[[migrations]]\ntag = "v0"\nnew_classes = ["Old", "Gone"]\n' + V1 + text)

    assert project.migrations[1] == Migration(
        "v1",
        new_classes=("Room",),
        new_sqlite_classes=("Hall",),
        renamed_classes=(Rename("Old", "New"),),
        deleted_classes=("Gone",),
        transferred_classes=(Transfer("other", "A", "B"),),
    )
    assert list(project.classes) == ["New", "B", "Room", "Hall"]
    assert project.warnings == (
        "wrangler.toml:12: `migrations[1].transferred_classes[0]` takes over objects of other: "
        "other Workers come later, so B begins without them",
    )


def test_an_entry_with_a_tag_only_moves_the_tag(folder):
    assert folder.load(FINE + '[[migrations]]\ntag = "v1"\n').migrations == (Migration("v1"),)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", '3: `migrations[0].tag` is missing; write:\n      tag = "v2"'),
        ('tga = "first"', '3: `migrations[0].tag` is missing: it is written `tga` here; write:\n      tag = "first"'),
        ("tag = 1", '4: `migrations[0].tag` is 1, which is a number, but has to be text; write:\n      tag = "1"'),
        ('tag = ""', '4: `migrations[0].tag` is empty; write:\n      tag = "v2"'),
    ],
)
def test_an_entry_without_a_usable_tag_is_refused(folder, lines, said):
    assert folder.problem(FINE + f"[[migrations]]\n{lines}\n") == f"wrangler.toml:{said}"


def test_a_tag_that_is_there_twice_is_named_with_both_lines(folder):
    assert folder.problem(FINE + V1 + '[[migrations]]\ntag = "v1"\n') == (
        'wrangler.toml:7: `migrations[1].tag` is "v1" again, as on line 4: a tag is applied once; '
        'give this entry a tag of its own:\n      tag = "v3"'
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'new_sqlite_classes = "Hall"',
            '.new_sqlite_classes` is "Hall", which is text, but has to be a list of class names; write:\n'
            '      new_sqlite_classes = ["Hall"]',
        ),
        (
            "deleted_classes = true",
            ".deleted_classes` is true, which is true or false, but has to be a list of class names; write:\n"
            '      deleted_classes = ["Room"]',
        ),
        (
            "new_sqlite_classes = [1]",
            ".new_sqlite_classes[0]` is 1, which is a number, but has to be the name of a class in quotes",
        ),
        (
            'new_sqlite_classes = ["a b"]',
            '.new_sqlite_classes[0]` is "a b", which cannot be the name of a Python class; write the class\'s name',
        ),
        ('new_sqlite_classes = ["A", "A"]', ".new_sqlite_classes[1]` names A a second time; remove it"),
        (
            'renamed_classes = { from = "Room", to = "Hall" }',
            '.renamed_classes` is { from = "Room", to = "Hall" }, which is a table, but has to be a list of tables; write:\n'
            '      renamed_classes = [{ from = "OldName", to = "NewName" }]',
        ),
        (
            'renamed_classes = ["Room"]',
            '.renamed_classes[0]` is "Room", which is text, but has to be a table; write:\n'
            '      renamed_classes = [{ from = "OldName", to = "NewName" }]',
        ),
        (
            'renamed_classes = [{ from = "Room" }]',
            '.renamed_classes[0].to` is missing; write:\n      to = "NewName"',
        ),
        (
            'renamed_classes = [{ from = "Room", to = "9" }]',
            '.renamed_classes[0].to` is "9", which cannot be the name of a Python class; write the class\'s name',
        ),
        (
            'renamed_classes = [{ from = "Room", to = "Room" }]',
            ".renamed_classes[0]` renames Room to itself; remove it",
        ),
        (
            'renamed_classes = [{ from = "Room", to = "A" }, { from = "Room", to = "B" }]',
            ".renamed_classes[1]` renames Room a second time; keep the one that is right",
        ),
        (
            'transferred_classes = [{ from = "Room", to = "A" }]',
            '.transferred_classes[0].from_script` is missing; write:\n      from_script = "other-worker"',
        ),
    ],
)
def test_a_directive_of_another_shape_is_echoed_with_what_to_write(folder, line, said):
    problem = folder.problem(FINE + V1 + '[[migrations]]\ntag = "v2"\n' + line)

    assert problem == f"wrangler.toml:8: `migrations[1]{said}"


def test_two_classes_cannot_be_renamed_to_one(folder):
    text = V1.replace('"Room"', '"Room", "Hall"') + '[[migrations]]\ntag = "v2"\nrenamed_classes = [\n'

    assert folder.problem(FINE + text + ' { from = "Room", to = "A" },\n { from = "Hall", to = "A" },\n]') == (
        "wrangler.toml:10: `migrations[1].renamed_classes[1]` renames a second class to A; "
        "each class needs a name of its own"
    )


def test_a_list_in_the_shape_of_a_table_is_shown_with_its_brackets(folder):
    assert folder.problem(FINE + '[migrations]\ntag = "v1"') == (
        'wrangler.toml:3: `migrations` is { tag = "v1" }, which is a table, but has to be a list of tables; write:\n'
        '      [[migrations]]\n      tag = "v1"\n      new_sqlite_classes = ["Room"]'
    )


def test_an_unknown_key_of_an_entry_is_a_warning(folder):
    assert folder.warning(FINE + V1 + 'new_clases = ["Hall"]') == (
        "wrangler.toml:6: `migrations[0].new_clases` is not a known key, so it has no effect; did you mean `new_classes`?"
    )


# What the entries lead to


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('new_classes = ["Room"]', ".new_classes[0]` creates Room, which exists already; remove it from this entry"),
        (
            'renamed_classes = [{ from = "Rom", to = "Hall" }]',
            ".renamed_classes[0]` renames Rom, which no earlier entry creates; correct `from`, or if Hall is a new class, "
            'write:\n      new_sqlite_classes = ["Hall"]',
        ),
        (
            'renamed_classes = [{ from = "Room", to = "Cell" }]',
            ".renamed_classes[0]` renames Room to Cell, which exists already, and objects of two classes cannot be one; "
            "remove Cell from the new classes; or, to lose what Cell has stored, add to this entry:\n"
            '      deleted_classes = ["Cell"]',
        ),
    ],
)
def test_an_entry_that_cannot_be_applied_is_refused_with_its_line(folder, line, said):
    text = V1.replace('"Room"', '"Room", "Cell"') + '[[migrations]]\ntag = "v2"\n'

    assert folder.problem(FINE + text + line) == f"wrangler.toml:8: `migrations[1]{said}"


def test_deleting_a_class_that_never_was_is_a_notice(folder):
    assert folder.warning(FINE + V1 + 'deleted_classes = ["Never"]') == (
        "wrangler.toml:6: `migrations[0].deleted_classes[0]` deletes Never, which no earlier entry creates, "
        "so nothing is deleted"
    )


def test_a_binding_to_a_renamed_class_is_told_the_new_name(folder):
    text = '[[migrations]]\ntag = "v2"\nrenamed_classes = [{ from = "Room", to = "Hall" }]'

    assert folder.problem(FINE + BOUND + V1 + text) == (
        'wrangler.toml:3: `durable_objects.bindings[0].class_name` is Room, which the migration "v2" renames to Hall; '
        'write:\n      class_name = "Hall"'
    )


def test_a_binding_to_a_deleted_class_is_refused(folder):
    text = '[[migrations]]\ntag = "v2"\ndeleted_classes = ["Room"]'

    assert folder.problem(FINE + BOUND + V1 + text) == (
        'wrangler.toml:3: `durable_objects.bindings[0].class_name` is Room, which the migration "v2" deletes; '
        "remove the binding, or the class from that entry"
    )


# Bound classes that no entry mentions: DOB-7, MIG-40


def test_a_bound_class_without_a_migration_works_here_with_a_warning_and_the_lines_to_add(folder):
    project = folder.load(FINE + BOUND)

    assert project.classes == {"Room": ClassDecl("Room", StorageKind.SQLITE)}
    assert project.warnings == (
        "wrangler.toml:3: `durable_objects.bindings[0].class_name` is Room, which no migration creates: "
        "here it works all the same, on a server it would not; add at the end of the file:\n"
        '      [[migrations]]\n      tag = "v1"\n      new_sqlite_classes = ["Room"]',
    )


def test_many_such_classes_are_one_warning(folder):
    lines = ", ".join(f'{{ name = "{name}", class_name = "{name}" }}' for name in ("A", "B", "C", "A2"))

    warning = folder.warning(
        FINE + f"durable_objects.bindings = [{lines}]".replace('class_name = "A2"', 'class_name = "A"')
    )

    assert (
        "is A, and no migration creates A, B and C: here they work all the same, on a server they would not" in warning
    )
    assert warning.endswith('new_sqlite_classes = ["A", "B", "C"]')


def test_the_lines_to_add_have_a_tag_that_is_free(folder):
    text = BOUND.replace('"Room"', '"Hall"') + V1.replace("v1", "v2") + BOUND.replace("durable_objects.", "x.")

    assert 'tag = "v3"' in folder.load(FINE + text).warnings[0]


def test_a_class_that_may_have_been_renamed_gets_that_line_too(folder):
    warning = folder.warning(FINE + BOUND.replace('"Room"', '"Hall"') + V1)

    assert '(if Hall is the new name of Room: with renamed_classes = [{ from = "Room", to = "Hall" }]' in warning


def test_a_class_that_exports_declares_needs_no_migration(folder):
    project = folder.load(FINE + BOUND + '[exports.Room]\ntype = "durable-object"\nstorage = "sqlite"\n')

    assert list(project.classes) == ["Room"]
    assert not any("no migration creates" in warning for warning in project.warnings)
