"""Reads the public names of a Python file, declared or real: what each takes and gives, as text that can be compared.

Both sides are read from source, because what type checkers see (`if TYPE_CHECKING`, overloads) is part of the surface.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Callable:
    """A function's parameters and result; one entry for each overload, sorted."""

    overloads: tuple[str, ...]

    def __str__(self) -> str:
        return " | ".join(self.overloads)


@dataclass
class Class:
    """A class: its bases and its public members, each as text."""

    bases: list[str]
    members: dict[str, str] = field(default_factory=dict)


def read(tree: ast.Module) -> dict[str, Class | str]:
    """Every public class, function and name at the top of a module."""
    found: dict[str, Class | str] = {}
    for node in _statements(tree.body):
        if isinstance(node, ast.ClassDef):
            found[node.name] = read_class(node)
    found.update(_members(tree.body))
    return found


def read_class(node: ast.ClassDef) -> Class:
    return Class([ast.unparse(base) for base in node.bases], _members(node.body))


def classes(tree: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in _statements(tree.body) if isinstance(node, ast.ClassDef)}


def _members(body: list[ast.stmt]) -> dict[str, str]:
    overloads: dict[str, list[str]] = {}
    members: dict[str, str] = {}
    for node in _statements(body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_public(node.name):
            if any(isinstance(each, ast.Attribute) and each.attr == "setter" for each in node.decorator_list):
                continue
            decorators = {ast.unparse(each).rpartition(".")[2] for each in node.decorator_list}
            text = _signature(node, decorators)
            if "overload" in decorators:
                overloads.setdefault(node.name, []).append(text)
            elif node.name not in overloads:
                members[node.name] = text
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and _is_public(node.target.id):
            members[node.target.id] = normal(ast.unparse(node.annotation))
        elif (
            isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and isinstance(node.targets[0], ast.Name)
        ):
            other = node.value.id  # another name for the same: `idFromName = id_from_name`
            if other in members or other in overloads:
                members[node.targets[0].id] = members.get(other) or "\n".join(sorted(overloads[other]))
    members.update({name: "\n".join(sorted(texts)) for name, texts in overloads.items()})
    return members


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """What a type checker sees: the branch of TYPE_CHECKING, not of its opposite."""
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _statements(node.body)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "not TYPE_CHECKING":
            yield from _statements(node.orelse)
        else:
            yield node


def _is_public(name: str) -> bool:
    return not name.startswith("_") or (name.startswith("__") and name in SPECIAL)


# What of Python's own protocols is part of the surface.
SPECIAL = frozenset(
    {
        "__aenter__",
        "__aexit__",
        "__aiter__",
        "__await__",
        "__call__",
        "__contains__",
        "__delitem__",
        "__getattr__",
        "__getitem__",
        "__iter__",
        "__len__",
        "__next__",
        "__setitem__",
    }
)


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef, decorators: set[str]) -> str:
    if decorators & {"property", "cached_property"}:
        return normal(ast.unparse(node.returns)) if node.returns else "?"
    kind = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    kind += "".join(f"{each} " for each in ("staticmethod", "classmethod") if each in decorators)
    arguments = node.args
    shown: list[str] = []
    first = [*arguments.posonlyargs, *arguments.args]
    implicit = 0 if "staticmethod" in decorators or not first or first[0].arg not in ("self", "cls") else 1
    optional_from = len(first) - len(arguments.defaults)
    for number, each in enumerate(first):
        if number < implicit:
            continue
        shown.append(_parameter(each, number >= optional_from))
        if arguments.posonlyargs and number == len(arguments.posonlyargs) - 1:
            shown.append("/")
    if arguments.vararg:
        shown.append("*" + _parameter(arguments.vararg, False))
    elif arguments.kwonlyargs:
        shown.append("*")
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        shown.append(_parameter(each, default is not None))
    if arguments.kwarg:
        shown.append("**" + _parameter(arguments.kwarg, False))
    gives = normal(ast.unparse(node.returns)) if node.returns else "None" if node.name == "__init__" else "?"
    return f"{kind}({', '.join(shown)}) -> {gives}"


def _parameter(node: ast.arg, optional: bool) -> str:
    kind = f": {normal(ast.unparse(node.annotation))}" if node.annotation else ""
    return f"{node.arg}{kind}{' = ...' if optional else ''}"


def normal(annotation: str) -> str:
    """One spelling for what is one type."""
    text = annotation.strip("'\"")
    for before, after in (
        ("os.PathLike", "PathLike"),
        ("_bytes", "bytes"),
        ("builtins.bytes", "bytes"),
        ("'", ""),
        ('"', ""),
        ("typing.", ""),
        ("Final[", "["),
        ("ClassVar[", "["),
    ):
        text = text.replace(before, after)
    return text.strip("[]") if text.startswith("[") and text.count("[") == 1 else text
