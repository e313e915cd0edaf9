"""The text of a module with the type of `env`: what a configuration says, as annotations.

Must stay true: the text depends on nothing but the project, so that a stale file can be told from a current one; it passes
mypy and pyright in strict mode; importing it imports nothing of the project, so that the project's modules may import it
whatever they import from each other. See tests/cli/test_types.py.
"""

import ast
import keyword
from collections.abc import Iterable, Mapping
from typing import Any

from perdure.config import Project
from perdure.workers.loader import import_root

ENV_CLASS = "Env"
MARK = "Made by `perdure types`"
"""In the first line of every such module: only a file that has it is written again."""

_OWN_NAMES = frozenset({ENV_CLASS, "TYPE_CHECKING", "Any", "Namespace", "Secret", "TypedDict", "perdure"})
_SCALARS = {bool: "bool", int: "int", float: "float", str: "str"}


def env_module(project: Project) -> str:
    """The module's text."""
    writer = _Writer(project)
    members = writer.members()
    lines = [
        f'"""The type of `env` in the Worker {project.name}. {MARK} from {project.config_file.name}: do not edit."""',
        "",
        *writer.imports(),
        *writer.tables,
        "",
        "",
        f"class {ENV_CLASS}(perdure.Env):",
        f'    """The bindings and variables of {project.config_file.name}."""',
        "",
        *(f"    {line}" for line in members),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


class _Writer:
    """Gathers the lines, and what they need to be imported."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._taken = {binding.name for binding in project.objects} | set(project.vars) | _OWN_NAMES
        self._classes: dict[str, str] = {}
        """The name here of each class, with the line that imports it."""
        self._typing: set[str] = set()
        self._perdure: set[str] = set()
        self.tables: list[str] = []
        """The typed dicts of variables that are tables."""

    def members(self) -> list[str]:
        kinds = {binding.name: self._namespace(binding.class_name) for binding in self._project.objects}
        kinds |= {name: self._of_value(name, value) for name, value in self._project.vars.items()}
        kinds |= dict.fromkeys(self._secrets(), "perdure.Secret")
        return [_member(name, kind) for name, kind in kinds.items()] or ["# No bindings and no variables yet."]

    def _secrets(self) -> Iterable[str]:
        return (*self._project.required_secrets, *self._project.secrets)

    def imports(self) -> list[str]:
        lines = [f"from typing import {', '.join(sorted(self._typing))}", ""] if self._typing else []
        lines.append("import perdure")
        if self._classes:
            lines += ["", "if TYPE_CHECKING:", *(f"    {line}" for line in sorted(self._classes.values()))]
        return lines

    def _namespace(self, class_name: str) -> str:
        self._typing.add("TYPE_CHECKING")
        here = class_name
        while here in self._taken:
            here += "_"
        module, original = _origin_of(class_name, self._project)
        renamed = "" if here == original else f" as {here}"
        self._classes[here] = f"from {module} import {original}{renamed}"
        # In quotes: the class is known to type checkers only, and at run time the kind of the binding still is.
        return f'perdure.Namespace["{here}"]'

    def _of_value(self, name: str, value: object) -> str:
        scalar = _SCALARS.get(type(value))
        if scalar is not None:
            return scalar
        if isinstance(value, list):
            kinds = list(dict.fromkeys(self._of_value(f"{name}_item", each) for each in value))
            return f"list[{' | '.join(kinds) if kinds else self._any()}]"
        if isinstance(value, Mapping):
            return self._of_table(name, value)
        return "None" if value is None else self._any()

    def _of_table(self, name: str, table: Mapping[str, Any]) -> str:
        if not table or not all(_is_attribute(key) for key in table):
            return f"dict[str, {self._any()}]"
        fields = [f"    {key}: {self._of_value(f'{name}_{key}', value)}" for key, value in table.items()]
        here = "".join(part[:1].upper() + part[1:].lower() for part in name.split("_"))
        while here in self._taken:
            here += "_"
        self._taken.add(here)
        self._typing.add("TypedDict")
        self.tables += ["", "", f"class {here}(TypedDict):", *fields]
        return here

    def _any(self) -> str:
        self._typing.add("Any")
        return "Any"


def _member(name: str, kind: str) -> str:
    if _is_attribute(name):
        return f"{name}: {kind}"
    return f"# env[{name!r}] is {kind}: its name cannot be an attribute."


def _is_attribute(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")


def _origin_of(class_name: str, project: Project) -> tuple[str, str]:
    """The module to import a class from, and its name there: the main module, or the one that it imports the class from.

    By reading, not by running: the main module may import the very file that is not written yet.
    """
    main = import_root(project.main, project.root)[1]
    try:
        tree = ast.parse(project.main.read_bytes())
    except (SyntaxError, ValueError):  # `perdure check` and `perdure dev` say so, with the line
        return main, class_name
    for node in (each for each in tree.body if isinstance(each, ast.ImportFrom)):
        for each in node.names:
            if (each.asname or each.name) == class_name:
                return _absolute(node, main), each.name
    return main, class_name


def _absolute(node: ast.ImportFrom, importer: str) -> str:
    """The imported module's whole name, where dots in front stand for the importer's package."""
    package = importer.split(".")[: -node.level] if node.level else []
    return ".".join([*package, *([node.module] if node.module else [])])
