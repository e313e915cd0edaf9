"""A Project: what a configuration says, checked, with nothing left to look up.

Must stay true: every path in it is absolute, every binding's class is among its classes, and nothing in it changes. See
tests/config/test_load.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perdure.core.migrations import Migration, StorageKind


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
    objects: tuple[ObjectBinding, ...]
    classes: Mapping[str, ClassDecl]
    """Every object class that exists after all migrations, and every bound one that no migration mentions."""
    migrations: tuple[Migration, ...]
    """In the order of the file; `core.migrations.plan` says what they change."""
    dev: DevSettings
    warnings: tuple[str, ...]
    """What should be looked at, ready to print: file, line, what, and what to write instead."""
