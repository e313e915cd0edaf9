"""The command line of `perdure dev`, as it goes from the process that read it to the one that serves.

Must stay true: what one process wrote the other reads back equal, whatever the paths and values in it. See
tests/cli/test_dev_options.py.
"""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_THRESHOLDS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "log": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "none": logging.CRITICAL + 1,
}
LOG_LEVELS = tuple(_THRESHOLDS)
LOG_FORMATS = ("text", "json")
_PATHS = frozenset({"config", "persist_to", "cert", "key"})


@dataclass(frozen=True, slots=True)
class DevOptions:
    """None, or nothing, where the command line says nothing."""

    config: Path | None = None
    port: int | None = None
    ip: str | None = None
    persist_to: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    name: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    env_files: tuple[Path, ...] = ()
    strict_config: bool = False
    log_level: str = "log"
    log_format: str = "text"

    @property
    def log_threshold(self) -> int:
        """From which level on what is logged is shown, as `logging` counts them."""
        return _THRESHOLDS[self.log_level]

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    @staticmethod
    def from_json(text: str) -> "DevOptions":
        said: dict[str, Any] = json.loads(text)
        for name in _PATHS:
            said[name] = None if said[name] is None else Path(said[name])
        said["variables"] = tuple((name, value) for name, value in said["variables"])
        said["env_files"] = tuple(map(Path, said["env_files"]))
        return DevOptions(**said)
