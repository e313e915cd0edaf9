"""`env` as the Worker's code expects it, or one error with all that does not fit.

Must stay true: a Worker whose `Env` class is not satisfied does not start; a JSON variable is converted once, before
anything runs; a binding that no class mentions is as it was. See tests/workers/test_env_check.py.
"""

from __future__ import annotations

import difflib
import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from perdure.model.errors import EnvMismatch
from perdure.model.secret import Secret
from perdure.workers.env import Env
from perdure.workers.env_annotations import Unknown, Wanted, is_protocol, wanted_of
from perdure.workers.namespace import Namespace

_EXAMPLES: Mapping[Any, str] = {int: "1", float: "1.5", bool: "true", list: "[]", dict: "{}"}


def fit(values: Mapping[str, Any], classes: tuple[type[Env], ...], *, config: Path | None) -> dict[str, Any]:
    """The values, with the JSON variables converted to the types that these `Env` classes say.

    config: the file that the values come from; None if they were given in code. Raises EnvMismatch with all problems.
    """
    fitted = dict(values)
    problems: dict[str, None] = {}
    checked: dict[str, Wanted] = {}
    for wanted in (each for cls in classes for each in wanted_of(cls)):
        first = checked.get(wanted.name)
        if wanted.name not in values:
            problem = _fill(wanted, values, fitted, config)
        elif wanted.type in (Unknown, Any, object) or (first is not None and first.type == wanted.type):
            problem = None
        elif first is not None:
            problem = _disagree(wanted, first)
        else:
            checked[wanted.name] = wanted
            problem = _check(wanted, values[wanted.name], fitted, config)
        if problem is not None:
            problems[problem] = None
    if problems:
        names = " and ".join(cls.__qualname__ for cls in classes)
        raise EnvMismatch(
            what=f"env is not what {names} says",
            where="" if config is None else str(config),
            why="the code and the configuration name different bindings or kinds",
            next_step="correct each line below in one of the two",
            problems=list(problems),
        )
    return fitted


def _fill(wanted: Wanted, values: Mapping[str, Any], fitted: dict[str, Any], config: Path | None) -> str | None:
    """What has no value gets the class's default, or None if the annotation allows that."""
    if wanted.optional:
        fitted.setdefault(wanted.name, wanted.default)
        return None
    near = difflib.get_close_matches(wanted.name, list(values), n=1)
    hint = f"; did you mean {near[0]!r}? Else add" if near else "; add"
    return f"{_place(wanted)} is not bound{hint} {_to_add(wanted, config)}"


def _check(wanted: Wanted, value: Any, fitted: dict[str, Any], config: Path | None) -> str | None:
    if wanted.is_namespace:
        return _check_namespace(wanted, value, fitted, config)
    if isinstance(value, Namespace):
        return _wrong(wanted, value, f"annotate `{wanted.name}: {_named(value)}`")
    if wanted.type is Secret:
        fix = f"move it from the variables to `.dev.vars`: {wanted.name}=...; or annotate `{wanted.name}: str`"
        return None if isinstance(value, Secret) else _wrong(wanted, value, fix)
    if wanted.type is str:
        return (
            None
            if isinstance(value, str)
            else _wrong(wanted, value, f"write it as text, or annotate {_type_of(value)}")
        )
    return _convert(wanted, value, fitted)


def _check_namespace(wanted: Wanted, value: object, fitted: dict[str, Any], config: Path | None) -> str | None:
    if not isinstance(value, Namespace):
        return _wrong(wanted, value, _to_add(wanted, config))
    cls = wanted.object_class
    if is_protocol(cls):
        fitted[wanted.name] = value.typed_as(cls)
        return None
    if not isinstance(cls, type) or cls is Unknown or issubclass(value.object_class, cls):
        return None
    return _wrong(wanted, value, f"annotate `{wanted.name}: {_named(value)}`, or bind the class {cls.__name__}")


def _convert(wanted: Wanted, value: Any, fitted: dict[str, Any]) -> str | None:
    plain = str(value) if isinstance(value, str) else value
    try:
        fitted[wanted.name] = msgspec.convert(plain, wanted.type, dec_hook=_model)
    except msgspec.ValidationError as error:
        said = "" if isinstance(value, Secret) else f" ({error})"  # which may hold the value
        return _wrong(wanted, value, f"correct the value{said}, or the annotation")
    except (TypeError, NameError) as error:
        return f"{_place(wanted)}: no variable can be read as {_shown(wanted.type)} ({error}); annotate a plain type"
    return None


def _model(type_: type[Any], value: Any) -> Any:
    """Builds what msgspec does not know: a pydantic model."""
    validate = getattr(type_, "model_validate", None)
    if validate is not None:
        return validate(value)
    raise TypeError(f"{_shown(type_)} is not made of fields: make it a dataclass or msgspec.Struct")


def _wrong(wanted: Wanted, value: object, fix: str) -> str:
    return f"{_place(wanted)} is annotated {_shown(wanted.type)} and is {_kind(value)}; {fix}"


def _disagree(wanted: Wanted, first: Wanted) -> str:
    return (
        f"{_place(wanted)} is annotated {_shown(wanted.type)}, and {_shown(first.type)} in {_place(first)}: "
        "there is one env; give both the same type"
    )


def _to_add(wanted: Wanted, config: Path | None) -> str:
    """What to paste where, so that the binding is there."""
    name = wanted.name
    if wanted.is_namespace:
        cls = wanted.object_class
        class_name = cls.__name__ if isinstance(cls, type) and cls is not Unknown else "TheClass"
        if config is None:
            return f"the class {class_name} to `objects=`, under the name {name}"
        if config.suffix in (".json", ".jsonc"):
            binding = json.dumps({"name": name, "class_name": class_name})
            return f'"durable_objects": {{ "bindings": [{binding}] }} to {config.name}'
        lines = (
            f"[[{_section(config, 'durable_objects.bindings')}]]",
            f'name = "{name}"',
            f'class_name = "{class_name}"',
        )
        return f"to {config.name}:" + "".join(f"\n    {line}" for line in lines)
    example = '"..."' if wanted.type is str else _EXAMPLES.get(getattr(wanted.type, "__origin__", wanted.type), "...")
    if config is None:
        return f"`env={{{json.dumps(name)}: {example}}}`"
    if wanted.type is Secret:
        return f"the line {name}=... to `.dev.vars`"
    if config.suffix in (".json", ".jsonc"):
        return f'"vars": {{ "{name}": {example} }} to {config.name}'
    return f"to {config.name}, under [{_section(config, 'vars')}]:\n    {name} = {example}"


def _section(config: Path, name: str) -> str:
    return f"tool.perdure.{name}" if config.name == "pyproject.toml" else name


def _place(wanted: Wanted) -> str:
    owner = wanted.owner
    try:
        lines, first = inspect.getsourcelines(owner)
        file = Path(inspect.getsourcefile(owner) or "").name
    except (OSError, TypeError):  # no source to look at: typed in a console, or made by code
        return f"env.{wanted.name} ({owner.__qualname__})"
    declared = re.compile(rf"\s*{re.escape(wanted.name)}\s*:")
    line = next((number for number, text in enumerate(lines, first) if declared.match(text)), first)
    return f"env.{wanted.name} ({owner.__qualname__}, {file}:{line})"


def _kind(value: object) -> str:
    if isinstance(value, Namespace):
        return f"the objects of {value.object_class.__name__}"
    if isinstance(value, Secret):
        return "a secret"
    if isinstance(value, str):
        return f"the text {value!r:.60}"
    return f"a JSON variable ({_type_of(value)})"


def _type_of(value: object) -> str:
    return type(value).__name__


def _named(value: Namespace[Any]) -> str:
    return f"Namespace[{value.object_class.__name__}]"


def _shown(type_: Any) -> str:
    if isinstance(type_, type) and not hasattr(type_, "__origin__"):
        return type_.__name__
    return re.sub(r"(?:<[^>]*>\.)?\b(?:\w+\.)+(?=\w)", "", str(type_).replace("<class '", "").replace("'>", ""))
