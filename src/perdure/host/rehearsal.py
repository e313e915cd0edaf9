"""What would keep an assignment from starting, found while another process still has the data folder.

Must stay true: what passes here fails in `Host.run` only for what the machine does, a full disk or a damaged file, so the
process that serves may go. Nothing is opened for writing, and nothing is kept. See tests/cli/test_reload.py.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from perdure.core.clock import Clock
from perdure.core.entry import Alarm
from perdure.core.migrations import plan
from perdure.host.assignment import Assignment
from perdure.store.catalog import peek
from perdure.store.interface import Store
from perdure.workers.worker import Housing, Worker

_KEY = "00" * 32


def rehearse(assignment: Assignment, data_dir: Path, *, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
    """Raises what `Host.run` would: ConfigError for migrations that do not fit the data, EnvMismatch, WrongValue."""
    found = peek(data_dir, assignment.name)
    if found is not None:
        existing, tag = found
        where = "" if assignment.config is None else str(assignment.config)
        plan(existing, assignment.migrations, tag, assignment.classes, where=where)
    Worker(
        assignment.name,
        assignment.program,
        housing={name: Housing(store=cast("Store", _Nowhere()), unique_key=_KEY) for name in assignment.classes},
        bindings=assignment.bindings,
        variables=assignment.variables,
        clock=clock,
        random_bytes=random_bytes,
        config=assignment.config,
    )


class _Nowhere:
    """In the place of a store, for a Worker that gets no event."""

    on_failed: Any = None
    on_alarm: Any = None

    def alarms(self, after: tuple[int, bytes], limit: int) -> list[tuple[bytes, Alarm]]:
        """The alarms of a Worker are started once the loop goes on, and there are none."""
        return []
