"""What names in a module's source stand for, as far as reading tells: imported functions, storage, stubs.

Must stay true: what is not sure is unknown, so that a rule built on it is silent rather than wrong. See
tests/cli/test_check_rules.py.
"""

import ast
from collections.abc import Iterator, Set

NAMESPACE_TO_STUB = frozenset({"get", "get_by_name", "getByName"})

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.stmt, ast.ExceptHandler, ast.match_case)
"""What statements stand in."""
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def imported_names(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for, dotted: `{"r": "requests", "sleep": "time.sleep"}`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                top = each.name.partition(".")[0]
                names[each.asname or top] = each.name if each.asname else top
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for each in node.names:
                names[each.asname or each.name] = f"{node.module}.{each.name}"
    return names


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """`r.get` is "requests.get" after `import requests as r`; empty if it does not begin with an imported name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in names:
        return ""
    return ".".join([names[node.id], *reversed(parts)])


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes that run in this function's own frame: not those of functions, lambdas and classes within."""
    stack: list[ast.AST] = list(reversed(function.body))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, _SCOPES):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))


class Values:
    """Which expressions of one function are storage, and which are stubs."""

    def __init__(self, function: Function, bindings: Set[str]) -> None:
        """bindings: the names of `env` that are namespaces."""
        self._bindings = bindings
        self._storage: set[str] = set()
        self._namespaces: set[str] = set()
        self._stubs: set[str] = set()
        for node in own_nodes(function):  # in the order of the text: a name is assigned before it is used
            self._learn(node)

    def _learn(self, node: ast.AST) -> None:
        targets: list[ast.expr] = []
        value: ast.expr | None = None
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
            targets, value = [node.target], node.value
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            targets, value = [node.optional_vars], node.context_expr
        if value is None:
            return
        for target in targets:
            if isinstance(target, ast.Name):
                for known, is_it in (
                    (self._storage, self.is_storage(value) or self.is_transaction(value)),
                    (self._namespaces, self.is_namespace(value)),
                    (self._stubs, self.is_stub(value)),
                ):
                    known.discard(target.id)
                    if is_it:
                        known.add(target.id)

    def is_storage(self, node: ast.expr) -> bool:
        """`self.ctx.storage`, `ctx.storage`, `state.storage`, and a name that was assigned one."""
        if isinstance(node, ast.Name):
            return node.id in self._storage
        if not (isinstance(node, ast.Attribute) and node.attr == "storage"):
            return False
        owner = node.value
        name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
        return name in ("ctx", "state")

    def is_transaction(self, node: ast.expr) -> bool:
        """`storage.transaction()`."""
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "transaction"
            and self.is_storage(node.func.value)
        )

    def is_namespace(self, node: ast.expr) -> bool:
        """`env.ROOMS`, `self.env["ROOMS"]`, `ctx.namespace(Room)`, and a name that was assigned one."""
        if isinstance(node, ast.Name):
            return node.id in self._namespaces
        if isinstance(node, ast.Attribute):
            return node.attr in self._bindings and _is_called(node.value, "env")
        if isinstance(node, ast.Subscript):
            key = node.slice
            return isinstance(key, ast.Constant) and key.value in self._bindings and _is_called(node.value, "env")
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "namespace"
            and _is_called(node.func.value, "ctx")
        )

    def is_stub(self, node: ast.expr) -> bool:
        """`env.ROOMS[name]`, `env.ROOMS.get(id)`, and a name that was assigned one."""
        if isinstance(node, ast.Name):
            return node.id in self._stubs
        if isinstance(node, ast.Subscript):
            return self.is_namespace(node.value)
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in NAMESPACE_TO_STUB
            and self.is_namespace(node.func.value)
        )

    def is_stub_call(self, node: ast.AST) -> bool:
        """`env.ROOMS[name].post(...)`: a call of a method of a stub."""
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and self.is_stub(node.func.value)


def _is_called(node: ast.expr, name: str) -> bool:
    """Whether it is the name, or an attribute of that name: `env`, `self.env`."""
    return (isinstance(node, ast.Name) and node.id == name) or (isinstance(node, ast.Attribute) and node.attr == name)
