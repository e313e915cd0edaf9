"""What a host is to run: a loaded program, under which names it finds its objects, and what else stands in its `env`.

Must stay true: nothing is loaded before it is wanted, and a class has one name, because its data is found by it. See
tests/host/test_host.py and tests/host/test_open.py.
"""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perdure.config import Project
from perdure.core.migrations import Migration
from perdure.core.retention import Retention
from perdure.model.errors import WrongValue
from perdure.workers.class_spec import ClassSpec
from perdure.workers.loader import Program, load_program


@dataclass(frozen=True, slots=True)
class Assignment:
    """One Worker to run."""

    name: str
    """The Worker's: the data folder knows its classes by it."""
    program: Program
    bindings: Mapping[str, str]
    """From a binding's name to its class's."""
    variables: Mapping[str, Any]
    migrations: tuple[Migration, ...] = ()
    config: Path | None = None
    """The configuration; without one, a class that is new is made, and one that is gone keeps its data."""
    retention: Retention | None = None
    """What is kept of the past; None: what the folder's stores were last told."""

    @property
    def classes(self) -> Collection[str]:
        """The names of its object classes."""
        return self.program.classes

    @staticmethod
    def of_project(project: Project) -> "Assignment":
        """Load a project's code. Raises LoadFailed; nothing stays loaded then."""
        program = load_program(
            project.name, project.main, root=project.root, class_names=project.classes, config=project.config_file
        )
        return Assignment(
            name=project.name,
            program=program,
            bindings={binding.name: binding.class_name for binding in project.objects},
            variables=project.env_values,
            migrations=project.migrations,
            config=project.config_file,
            retention=project.retention,
        )

    def with_classes(self, bound: Mapping[str, ClassSpec]) -> "Assignment":
        """The same, and these classes under these names of `env`. Raises WrongValue where a name would mean two things."""
        classes, bindings = dict(self.program.classes), dict(self.bindings)
        for binding, spec in bound.items():
            class_name = spec.cls.__name__
            there = classes.setdefault(class_name, spec)
            if there.cls is not spec.cls:
                raise same_name(there.cls, spec.cls)
            if bindings.setdefault(binding, class_name) != class_name:
                raise WrongValue(
                    what=f"env.{binding} would be two classes, {bindings[binding]} and {class_name}",
                    where=self._where,
                    next_step="give one of them another name: objects={'OTHER_NAME': " + class_name + "}",
                )
        program = dataclasses.replace(self.program, classes=classes)
        return dataclasses.replace(self, program=program, bindings=bindings)

    def with_values(self, values: Mapping[str, Any]) -> "Assignment":
        """The same, and these values in `env`, instead of those of the same names that a configuration gives."""
        bindings = {name: class_name for name, class_name in self.bindings.items() if name not in values}
        return dataclasses.replace(self, bindings=bindings, variables={**self.variables, **values})

    @property
    def _where(self) -> str:
        return "" if self.config is None else str(self.config)


def same_name(one: type[Any], other: type[Any]) -> WrongValue:
    """Why these two classes cannot both be object classes."""
    return WrongValue(
        what=f"two classes are called {one.__name__}",
        where=f"{_place_of(one)} and {_place_of(other)}",
        why="an object's data is found by the name of its class, so they would have the same",
        next_step="rename one of them",
    )


def _place_of(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
