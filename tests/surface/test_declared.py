"""The package is what declared.pyi says, name by name and type by type, in both directions.

What later issues bring is declared too: `later.txt` lists it, and such a name is absent until it works. Members that one
layer offers to the next and no program needs are in `between_layers.txt`; Cloudflare's spellings in `aliases.txt`; what
was decided to be other than declared, each with its reason, in `decided.txt`.
"""

import ast
import builtins
import inspect
import re
from pathlib import Path

import pytest

import perdure
from perdure.objects.storage import list_options
from tests.surface.declarations import Class, classes, normal, read, read_class

HERE = Path(__file__).parent
DECLARED = read(ast.parse((HERE / "declared.pyi").read_text()))


def listed(file: str) -> frozenset[str]:
    lines = (HERE / file).read_text().splitlines()
    return frozenset(line.split()[0] for line in lines if line and not line.startswith("#"))


LATER = listed("later.txt")
BETWEEN_LAYERS = listed("between_layers.txt")
ALIASES = listed("aliases.txt")
DECIDED = listed("decided.txt")
EXPECTED_NAMES = sorted(
    name
    for node in ast.parse((HERE / "declared.pyi").read_text()).body
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    for name in ast.literal_eval(node.value)
)
NOW = [name for name in EXPECTED_NAMES if name not in LATER]


def declared_members(name: str) -> dict[str, str]:
    """Of a declared class, those of its declared bases included, as far as they exist by now."""
    cls = DECLARED[name]
    assert isinstance(cls, Class)
    members: dict[str, str] = {}
    for base in reversed(cls.bases):
        base = base.partition("[")[0]
        if isinstance(DECLARED.get(base), Class):
            members |= declared_members(base)
    members |= cls.members
    return {member: text for member, text in members.items() if f"{name}.{member}" not in LATER}


def real_members(cls: type) -> dict[str, str]:
    """Of a class of the package, as type checkers see them."""
    members: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        if each.__module__.startswith("perdure"):
            source = classes(ast.parse(Path(inspect.getfile(each)).read_text())).get(each.__name__)
            if source is not None:
                members |= read_class(source).members
    return {member: spelled_out(text) for member, text in members.items()}


# What the package spells with a name of its own for a type that is declared in full.
SPELLED_OUT = {
    "FormValue": "str | File",
    "Redirect": "Literal[follow, manual]",
    "WorkerSource": "str | PathLike[str] | ModuleType | Callable[..., Any]",
    "**options: Unpack[ListOptions]": ", ".join(
        f"{name}: {normal(kind)} = ..."
        for name, kind in read_class(classes(ast.parse(inspect.getsource(list_options)))["ListOptions"]).members.items()
    ),
}


def spelled_out(text: str) -> str:
    text = text.replace("(**options", "(*, **options").replace("[T], **options", "[T], *, **options")
    for name, meaning in SPELLED_OUT.items():
        text = re.sub(rf"(?<![\w.]){re.escape(name)}(?!\w)", meaning, text)
    return text


def test_the_package_offers_what_is_declared_and_nothing_else():
    assert sorted(perdure.__all__) == NOW


@pytest.mark.parametrize("name", sorted(LATER & set(EXPECTED_NAMES)))
def test_a_name_of_a_later_issue_is_absent(name):
    assert not hasattr(perdure, name)


CLASSES = [name for name in NOW if isinstance(DECLARED.get(name), Class)]


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_the_declared_members_typed_as_there(name):
    real = real_members(getattr(perdure, name))

    differing = {
        member: (text, real.get(member))
        for member, text in declared_members(name).items()
        if real.get(member) != text and f"{name}.{member}" not in DECIDED
    }
    assert differing == {}


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_no_member_that_is_declared_nowhere(name):
    cls = getattr(perdure, name)
    members = {member for member in real_members(cls) if not member.startswith("__")}
    members |= {member for member in vars(cls) if not member.startswith("_")}

    known = {member for member in members if {f"{name}.{member}", f"*.{member}"} & (BETWEEN_LAYERS | ALIASES)}
    assert members - known - set(declared_members(name)) == set()


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_the_declared_bases(name):
    cls = DECLARED[name]
    assert isinstance(cls, Class)
    for base in (each.partition("[")[0] for each in cls.bases):
        base_class = getattr(perdure, base, None) or getattr(builtins, base, None)
        if isinstance(base_class, type):
            assert issubclass(getattr(perdure, name), base_class)


FUNCTIONS = [name for name in NOW if isinstance(DECLARED.get(name), str) and "(" in str(DECLARED[name])]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_typed_as_declared(name):
    function = getattr(perdure, name)
    assert spelled_out(str(read(ast.parse(inspect.getsource(function)))[name])) == DECLARED[name]


@pytest.mark.parametrize("name", sorted(LATER | BETWEEN_LAYERS | ALIASES | DECIDED))
def test_what_the_lists_name_is_what_they_are_about(name):
    owner, _, member = name.partition(".")
    if name in LATER:
        assert owner in DECLARED and (not member or member in {**declared_all(owner)})
    elif owner != "*":
        assert hasattr(getattr(perdure, owner), member)


def declared_all(name: str) -> dict[str, str]:
    cls = DECLARED[name]
    assert isinstance(cls, Class)
    members: dict[str, str] = {}
    for base in cls.bases:
        if isinstance(DECLARED.get(base.partition("[")[0]), Class):
            members |= declared_all(base.partition("[")[0])
    return members | cls.members
