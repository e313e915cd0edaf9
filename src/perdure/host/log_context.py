"""Log records say which object and which request they are about.

Must stay true: a record made in object or Worker code carries `perdure_class`, `perdure_object` (name, else id) and
`perdure_request`, any other carries them empty, so that a format may name them; no host program's logging changes unless it
asks. See tests/host/test_log_context.py.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from perdure.objects.member import CURRENT
from perdure.objects.origin import ORIGIN, Origin, number_of


class LogContext(logging.Filter):
    """A filter that lets every record pass, with the three fields set. Add it to a handler, whose format may name them then:

        handler.addFilter(LogContext())
        handler.setFormatter(logging.Formatter("%(perdure_class)s/%(perdure_object)s %(message)s"))

    On a handler, not on a logger: a logger's filters do not see what its children log.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Set the fields of this record; every record passes."""
        mark(record)
        return True


@contextmanager
def marked_records() -> Iterator[None]:
    """Within the block every record of this process has the fields, whoever makes and shows it.

    Only for processes that Perdure starts itself; embedded, use LogContext.
    """
    before: Callable[..., logging.LogRecord] = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        mark(record)
        return record

    logging.setLogRecordFactory(make)
    try:
        yield
    finally:
        if logging.getLogRecordFactory() is make:  # else somebody's own stands before it, and calls it
            logging.setLogRecordFactory(before)


def mark(record: logging.LogRecord) -> None:
    """Set the fields of a record, by the code that runs now; one that has them already keeps them."""
    if "perdure_class" in record.__dict__:  # handled in another thread, or by another handler: its maker knew better
        return
    class_name = object_name = ""
    member = CURRENT.get()
    if member is not None:
        instance = member.instance
        class_name, object_name = instance.home.class_name, instance.rows.name or instance.id.hex
    origin = running_origin()
    record.perdure_class = class_name
    record.perdure_object = object_name
    record.perdure_request = "" if origin is None else number_of(origin)


def running_origin() -> Origin | None:
    """The request that the running code serves; None outside of object and Worker code."""
    member = CURRENT.get()
    return ORIGIN.get() if member is None else member.origin


def label_of(record: logging.LogRecord) -> str:
    """`Counter/alice` for a record from an object, "" for any other."""
    class_name: str = getattr(record, "perdure_class", "")
    return f"{class_name}/{record.__dict__['perdure_object']}" if class_name else ""
