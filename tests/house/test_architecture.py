"""The arrows in the tree, and what no module may do, wherever it stands.

`make lint` holds the layers (pyproject.toml, [tool.importlinter]); these tests hold what a list of layers cannot say.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "perdure"
BANNED_IN_CORE = {
    "asyncio": "return an effect",
    "time": "take now_ms",
    "random": "take a seeded rng",
    "secrets": "take the bytes",
    "apsw": "take rows",
    "os": "take the value",
    "threading": "return an effect",
    "socket": "return an effect",
}
BANNED_EVERYWHERE = {
    "pickle": "loading must not run code: use the value codec",
    "shelve": "loading must not run code: use the value codec",
    "marshal": "loading must not run code: use the value codec",
}
NAMES_OF_NO_CONCEPT = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}
MAKERS_OF_MUTABLE_STATE = {"dict", "list", "set", "defaultdict", "OrderedDict", "deque", "Counter"}


@dataclass(frozen=True)
class Module:
    path: Path

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @property
    def imports(self) -> set[str]:
        """The first words of all that it imports, wherever the import stands."""
        names: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
        return names

    def __str__(self) -> str:
        return str(self.path.relative_to(SOURCE.parent))


def modules_under(folder: Path) -> list[Module]:
    return [Module(path) for path in sorted(folder.rglob("*.py"))]


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def mutable_globals_of(tree: ast.Module) -> Iterator[str]:
    """Names in lower case that a module binds to something that can grow: state that two hosts would share."""
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        made_by = value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
        if isinstance(value, ast.List | ast.Dict | ast.Set) or made_by in MAKERS_OF_MUTABLE_STATE:
            names = {target.id for target in targets if isinstance(target, ast.Name)} - {"__all__"}
            yield from (name for name in names if name != name.upper())


every_module = pytest.mark.parametrize("module", modules_under(SOURCE), ids=str)


@pytest.mark.parametrize("module", modules_under(SOURCE / "core"), ids=str)
def test_core_modules_do_no_io(module: Module) -> None:
    assert not {f"{name}: {BANNED_IN_CORE[name]}" for name in module.imports & BANNED_IN_CORE.keys()}


@every_module
def test_no_module_imports_what_runs_code_on_loading(module: Module) -> None:
    assert not {f"{name}: {BANNED_EVERYWHERE[name]}" for name in module.imports & BANNED_EVERYWHERE.keys()}


@every_module
def test_no_function_imports(module: Module) -> None:
    inside = {
        f"line {node.lineno}: move it to the top, or the layer is wrong"
        for function in functions_of(module.tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }

    assert not inside


@every_module
def test_no_module_keeps_state_that_two_hosts_would_share(module: Module) -> None:
    declared = {name for node in ast.walk(module.tree) if isinstance(node, ast.Global) for name in node.names}

    assert not declared | set(mutable_globals_of(module.tree)), "hang it on the host"


@every_module
def test_no_module_inside_imports_the_front_door(module: Module) -> None:
    through_it = {
        f"line {node.lineno}"
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.ImportFrom) and node.module == "perdure")
        or (isinstance(node, ast.Import) and "perdure" in {alias.name for alias in node.names})
    }

    assert not through_it, "import from the module that has it; perdure/__init__.py only re-exports"


@every_module
def test_every_module_opens_with_a_docstring(module: Module) -> None:
    is_empty = not module.path.read_text(encoding="utf-8").strip()

    assert is_empty or ast.get_docstring(module.tree)


@every_module
def test_files_are_named_after_a_concept(module: Module) -> None:
    assert not {module.path.stem, *module.path.relative_to(SOURCE).parts[:-1]} & NAMES_OF_NO_CONCEPT


def test_tests_name_that_a_docstring_promises_exist() -> None:
    """A module's docstring names the test that would break; a name that leads nowhere is a promise nobody keeps."""
    root = SOURCE.parents[1]
    missing = {
        f"{module}: {word}"
        for module in modules_under(SOURCE)
        for word in (ast.get_docstring(module.tree) or "").replace(",", " ").replace(";", " ").split()
        if word.startswith("tests/") and not (root / word.strip("().:`").split("::")[0]).exists()
    }

    assert not missing
