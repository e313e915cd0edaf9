"""A Project: what a configuration says, checked, with nothing left to look up.

Must stay true: every path in it is absolute, every binding's class is among its classes, and nothing in it changes. See
tests/config/test_load.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from perdure.core.migrations import Migration, StorageKind
from perdure.core.retention import Retention
from perdure.model.secret import Secret

DATA_FOLDER = Path(".perdure", "state")
"""Where a project's data is unless somebody says otherwise: beside its configuration, and named in every .gitignore."""


@dataclass(frozen=True, slots=True)
class ObjectBinding:
    """`env.<name>` reaches the objects of a class of this Worker."""

    name: str
    class_name: str


@dataclass(frozen=True, slots=True)
class ClassDecl:
    """An object class of this Worker."""

    name: str
    kind: StorageKind


@dataclass(frozen=True, slots=True)
class DevSettings:
    """`[dev]`: where to listen if the command line does not say."""

    ip: str = "127.0.0.1"
    port: int | None = None
    """None: the default one, or another if that is taken."""


@dataclass(frozen=True, slots=True)
class Project:
    """One Worker as its configuration describes it. Made by `load_project`."""

    name: str
    main: Path
    """The main module's file, which exists."""
    root: Path
    """The folder of the configuration; its relative paths start there (CFG-7)."""
    config_file: Path
    vars: Mapping[str, Any]
    """The values of `vars`, as the configuration says them; `env_values` is what the code gets."""
    secrets: Mapping[str, Secret]
    required_secrets: tuple[str, ...]
    """What `secrets.required` lists, whether it is there or not."""
    overrides: Mapping[str, str]
    """Variables of the command line."""
    objects: tuple[ObjectBinding, ...]
    classes: Mapping[str, ClassDecl]
    """Every object class that exists after all migrations, and every bound one that no migration mentions."""
    migrations: tuple[Migration, ...]
    """In the order of the file; `core.migrations.plan` says what they change."""
    dev: DevSettings
    retention: Retention
    """What is kept of the past of its objects."""
    warnings: tuple[str, ...]
    """What should be looked at, ready to print: file, line, what, and what to write instead."""
    notices: tuple[str, ...]
    """What people should know, with nothing wrong about it: from where secrets are."""
    sources: tuple[Path, ...]
    """Every file that was read or looked for; if one changes, or comes into being, the project may be another."""

    @property
    def env_values(self) -> Mapping[str, Any]:
        """What `env` has besides the bindings: variables, over them secrets, over all what the command line gives."""
        return MappingProxyType({**self.vars, **self.secrets, **self.overrides})
