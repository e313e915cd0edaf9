"""Object bindings: what each needs, and one meaning for each name."""

import pytest

from perdure.config import ObjectBinding
from tests.config.conftest import FINE

ROOM = '[[migrations]]\ntag = "v1"\nnew_classes = ["Room"]\n'
HEAD = FINE + "[durable_objects]\nbindings = [\n"
"""What follows is on line 5."""


def bindings(*lines):
    return HEAD + "".join(f"  {line},\n" for line in lines) + "]\n" + ROOM


def test_bindings_may_be_written_in_an_array_of_tables(folder):
    text = '[[durable_objects.bindings]]\nname = "ROOM"\nclass_name = "Room"\n' + ROOM

    assert folder.load(FINE + text).objects == (ObjectBinding("ROOM", "Room"),)


def test_two_bindings_may_name_the_same_class(folder):
    project = folder.load(bindings('{ name = "A", class_name = "Room" }', '{ name = "B", class_name = "Room" }'))

    assert [binding.name for binding in project.objects] == ["A", "B"]
    assert project.warnings == ()


def test_the_own_name_as_script_name_is_the_same_as_none(folder):
    project = folder.load(bindings('{ name = "A", class_name = "Room", script_name = "w" }'))

    assert project.objects == (ObjectBinding("A", "Room"),)
    assert list(project.classes) == ["Room"]


@pytest.mark.parametrize(
    ("binding", "said"),
    [
        ('{ class_name = "Room" }', '[0].name` is missing; write:\n      name = "ROOM"'),
        ('{ name = "A" }', '[0].class_name` is missing; write:\n      class_name = "Room"'),
        (
            '{ name = "A", className = "Hall" }',
            '[0].class_name` is missing: it is written `className` here; write:\n      class_name = "Hall"',
        ),
        (
            '{ binding = "A", nme = "A", class_name = "Room" }',
            '[0].name` is missing: it is written `nme` here; write:\n      name = "A"',
        ),
        (
            '{ name = 1, class_name = "Room" }',
            '[0].name` is 1, which is a number, but has to be text; write:\n      name = "1"',
        ),
        ('{ name = "", class_name = "Room" }', '[0].name` is empty; write:\n      name = "ROOM"'),
        (
            '{ name = "A", class_name = ["Room"] }',
            '[0].class_name` is ["Room"], which is a list, but has to be text; write:\n      class_name = "Room"',
        ),
        (
            '{ name = "A", class_name = "rooms.Room" }',
            '[0].class_name` is "rooms.Room", which cannot be the name of a Python class; write the class\'s name',
        ),
        (
            '"Room"',
            '[0]` is "Room", which is text, but has to be a table; write:\n      [durable_objects]\n'
            '      bindings = [\n        { name = "ROOM", class_name = "Room" },\n      ]',
        ),
        (
            '{ name = "A", class_name = "Room", script_name = "other" }',
            '[0].script_name` is "other", another Worker than this one, "w": bindings to classes of other Workers '
            "come later; for a class of this Worker remove `script_name`",
        ),
        (
            '{ name = "A", class_name = "Room", script_name = "w", environment = "staging" }',
            '[0].script_name` is "w-staging", another Worker than this one, "w": bindings to classes of other Workers '
            "come later; for a class of this Worker remove `script_name`",
        ),
        (
            '{ name = "A", class_name = "Room", script_name = 1 }',
            '[0].script_name` is 1, which is a number, but has to be text; write:\n      script_name = "1"',
        ),
        (
            '{ name = "A", class_name = "Room", environment = "x" }',
            "[0].environment` says nothing without `script_name`; remove it, or add the Worker's name",
        ),
    ],
)
def test_a_binding_that_cannot_be_one_shows_what_to_write(folder, binding, said):
    assert folder.problem(bindings(binding)) == f"wrangler.toml:5: `durable_objects.bindings{said}"


def test_every_binding_that_is_wrong_is_said(folder):
    problems = folder.problems(bindings('{ name = "A" }', '{ name = "B" }'))

    assert [problem.split(":")[1] for problem in problems] == ["5", "6"]


def test_the_file_names_no_worker_twice_if_the_name_itself_is_missing(folder):
    text = bindings('{ name = "A", class_name = "Room", script_name = "w" }').replace('name = "w"\n', "", 1)

    assert "`name` is missing" in folder.problem(text)


def test_an_unknown_field_is_a_warning(folder):
    assert folder.warning(bindings('{ name = "A", class_name = "Room", remote = true }')).startswith(
        "wrangler.toml:5: `durable_objects.bindings[0].remote` is not a known key, so it has no effect; known here: "
    )


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("durable_objects = 1", "3: `durable_objects` is 1, which is a number, but has to be a table; write:"),
        ("[durable_objects]", "3: `durable_objects.bindings` is missing; write:"),
        (
            '[durable_objects]\nbinding = [{ name = "A", class_name = "Room" }]',
            "3: `durable_objects.bindings` is missing: it is written `binding` here; write:",
        ),
        (
            '[[durable_objects]]\nname = "A"',
            '3: `durable_objects` is [{ name = "A" }], which is a list, but has to be a table; write:',
        ),
        (
            '[durable_objects.bindings]\nname = "A"\nclass_name = "Room"',
            '3: `durable_objects.bindings` is { name = "A", class_name = "Room" }, which is a table, '
            "but has to be a list of tables; write:",
        ),
    ],
)
def test_a_section_of_another_shape_shows_a_whole_one(folder, section, said):
    problem = folder.problem(FINE + section)

    assert problem.startswith(f"wrangler.toml:{said}\n      [durable_objects]\n      bindings = [\n")


# Names: DOB-5


def test_two_bindings_of_one_name_are_refused(folder):
    problem = folder.problem(bindings('{ name = "A", class_name = "Room" }', '{ name = "A", class_name = "Room" }'))

    assert problem == (
        'wrangler.toml:6: `durable_objects.bindings[1].name` is the second object binding called "A" '
        "(the first: line 5); give one of them another name: each is one attribute of env"
    )


def test_a_variable_and_a_binding_of_one_name_are_refused_and_all_clashes_are_listed(folder):
    problems = folder.problems(
        bindings('{ name = "A", class_name = "Room" }', '{ name = "B", class_name = "Room" }')
        + "[vars]\nA = 1\nB = 2\n"
    )

    assert problems == [
        f'wrangler.toml:{5 + position}: `durable_objects.bindings[{position}].name` is an object binding called "{name}", '
        f"and so is a variable of line {12 + position}; give one of them another name: each is one attribute of env"
        for position, name in enumerate("AB")
    ]


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ("kv_namespaces", "a KV namespace"),
        ("services", "a service"),
        ("r2_buckets", "a bucket"),
        ("d1_databases", "a database"),
    ],
)
def test_names_of_kinds_that_come_later_are_taken_already(folder, section, kind):
    problem = folder.problem(FINE + f'{section} = [{{ binding = "A" }}, 1]\nvars.A = "x"\n')

    assert f'`{section}[0].binding` is {kind} called "A", and so is a variable of line 4' in problem


def test_a_binding_that_cannot_be_written_after_a_dot_is_a_warning(folder):
    warning = folder.warning(bindings('{ name = "my-room", class_name = "Room" }'))

    assert warning == (
        'wrangler.toml:5: `durable_objects.bindings[0].name` is "my-room", which cannot be written after `env.`; '
        'the code has to say env["my-room"]; a name like MY_ROOM reads better'
    )
