"""Names and kinds of handlers and methods: what is almost a handler, what should be `async`, what nothing reaches.

Must stay true: a method that may be meant as it is gets no remark. See tests/cli/test_check_rules.py.
"""

import ast
from collections.abc import Iterator, Mapping, Set

from perdure.cli.check_finding import Finding, Rule
from perdure.cli.check_names import BLOCKS, Function, imported_names
from perdure.workers.reserved import OBJECT_HOOKS, RESERVED, WORKER_HOOKS

_OBJECT_BASE = "perdure.DurableObject"
_ENTRYPOINT_BASE = "perdure.WorkerEntrypoint"
# One slip in a short name; two in a long one, where two are still nearer to the name than to any other word.
_SLIPS_MAX = 1
_LONG_NAME = 10
# Words of their own, however near.
_NO_SLIPS = frozenset({"schedule", "schedules", "scheduler"})


def check_classes(
    file: str,
    tree: ast.Module,
    *,
    is_main: bool,
    object_classes: Set[str],
    plain_methods: Set[str],
    unbound: Set[str],
) -> Iterator[Finding]:
    """The findings of one file.

    object_classes, plain_methods, unbound: qualified names in this file, as the running program has them.
    """
    names = imported_names(tree)
    if is_main:
        yield from _imported_handlers(file, tree)
        for function in _functions(tree):
            yield from _misspelt(file, function, f"{function.name}()", WORKER_HOOKS, names_there=_names_of(tree))
    for qualified, node in _classes(tree):
        bases = {_base(base, names) for base in node.bases}
        if qualified in unbound:
            what = f"no binding names the object class {node.name}, so nothing reaches its objects"
            fix = f'add [[durable_objects.bindings]] with class_name = "{node.name}"'
            yield Finding(Rule.UNBOUND_CLASS, False, what, fix, file, node.lineno)
        hooks: Mapping[str, tuple[str, ...]] | None = None
        if qualified in object_classes or _OBJECT_BASE in bases:
            hooks = OBJECT_HOOKS
        elif _ENTRYPOINT_BASE in bases:
            hooks = WORKER_HOOKS
        for function in _functions(node):
            shown = f"{qualified}.{function.name}"
            if hooks is not None:
                yield from _misspelt(file, function, shown, hooks, names_there=_names_of(node))
            if shown in plain_methods and isinstance(function, ast.FunctionDef):
                what = f"{shown} is a plain def: callers have to await it, and type checkers tell them not to"
                yield Finding(Rule.PLAIN_METHOD, False, what, "write async def", file, function.lineno)


def _imported_handlers(file: str, tree: ast.Module) -> Iterator[Finding]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module in ("perdure", "workers") and not node.level:
            for each in node.names:
                if (each.asname or each.name) in ("fetch", "scheduled"):
                    what = f"`{each.asname or each.name}` of the main module is the Worker's handler, and this imports another"
                    fix = f"write `import {node.module}` and `await {node.module}.{each.name}(url)`"
                    yield Finding(Rule.IMPORTED_HANDLER, True, what, fix, file, node.lineno)


def _misspelt(
    file: str, function: Function, shown: str, hooks: Mapping[str, tuple[str, ...]], *, names_there: Set[str]
) -> Iterator[Finding]:
    name = function.name
    if name.startswith("_") or name in RESERVED or name in _NO_SLIPS:
        return
    for hook, spellings in hooks.items():
        if not names_there.isdisjoint(spellings):
            continue
        if any(_is_slip(name, spelling) for spelling in spellings):
            what = f"{shown} looks like the handler `{hook}`, and under this name nothing calls it"
            yield Finding(Rule.MISSPELT_HANDLER, False, what, f"rename it to {hook}", file, function.lineno)
            return


def _is_slip(name: str, spelling: str) -> bool:
    plain, meant = name.replace("_", "").lower(), spelling.replace("_", "").lower()
    if plain == meant:
        return True
    if plain.startswith(meant):  # `setups`, `fetch2`: more than the handler's name, so another one
        return False
    if spelling.startswith("on_") and not plain.startswith("on"):  # `rescheduled` is no slip for `on_scheduled`
        return False
    return _distance(plain, meant) <= _SLIPS_MAX + (len(meant) >= _LONG_NAME)


def _distance(one: str, other: str) -> int:
    """Letters left out, added, changed, or exchanged with their neighbours."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _functions(node: ast.Module | ast.ClassDef) -> Iterator[Function]:
    return (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


def _classes(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.ClassDef]]:
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.ClassDef):
            yield f"{prefix}{each.name}", each
            yield from _classes(each, f"{prefix}{each.name}.")
        elif isinstance(each, BLOCKS) and not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _classes(each, prefix)


def _names_of(node: ast.Module | ast.ClassDef) -> set[str]:
    return {function.name for function in _functions(node)}


def _base(node: ast.expr, names: dict[str, str]) -> str:
    """The dotted name of a base: of `DurableObject["Env"]` that of DurableObject."""
    if isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{names.get(node.value.id, node.value.id)}.{node.attr}"
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""
