"""What is logged is shown while Perdure serves, but for what the project sends elsewhere."""

import io
import logging
import sys
from contextlib import contextmanager
from pathlib import Path

from perdure.cli.console import Console
from perdure.cli.log_lines import LogLines


def shown_by(*, inside: bool = True, log) -> str:
    out, err = io.StringIO(), io.StringIO()
    lines = LogLines(Console(out, err), Path("/project"))
    if inside:
        with lines:
            log()
    else:
        with lines:
            pass
        log()
    return out.getvalue() + err.getvalue()


def test_warnings_and_errors_of_perdure_are_shown():
    def log():
        logging.getLogger("perdure.store").warning("the disk is %s", "slow")
        logging.getLogger("perdure.store").error("the disk is gone")

    shown = shown_by(log=log)

    assert "the disk is slow" in shown
    assert "the disk is gone" in shown


def test_an_error_is_shown_with_its_traceback():
    def log():
        try:
            raise ValueError("no such row")
        except ValueError:
            logging.getLogger("perdure.objects").exception("background work failed")

    shown = shown_by(log=log)

    assert "background work failed" in shown
    assert "ValueError: no such row" in shown


def test_what_is_less_than_a_warning_is_not_shown():
    assert "quiet" not in shown_by(log=lambda: logging.getLogger("perdure").info("quiet"))


def test_what_the_project_sends_elsewhere_is_not_shown():
    assert "mine" not in shown_by(log=lambda: logging.getLogger("project").error("mine"))


def test_after_the_block_the_logger_is_as_it_was(caplog):
    before = (list(logging.getLogger("perdure").handlers), logging.getLogger("perdure").propagate)

    shown = shown_by(inside=False, log=lambda: logging.getLogger("perdure").warning("later"))

    assert "later" not in shown
    assert (logging.getLogger("perdure").handlers, logging.getLogger("perdure").propagate) == before
    assert "later" in caplog.text


def test_what_a_project_configures_for_all_loggers_does_not_show_it_twice(caplog):
    shown_by(log=lambda: logging.getLogger("perdure").warning("once"))

    assert "once" not in caplog.text


# What the project logs


@contextmanager
def unconfigured_logging():
    """As a fresh process has it: pytest's own handlers are on the root logger while a test runs."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    root.setLevel(logging.WARNING)
    try:
        yield root
    finally:
        root.handlers = handlers
        root.setLevel(level)


def test_what_a_project_logs_without_configuring_logging_is_shown_from_info_on():
    def log():
        logging.getLogger("project").info("as it goes")
        logging.getLogger("project").debug("in detail")

    with unconfigured_logging():
        assert shown_by(log=log) == "as it goes\n"


def test_a_project_that_configures_logging_inside_the_block_is_not_in_the_way():
    own = io.StringIO()

    def log():
        logging.basicConfig(stream=own, format="own: %(perdure_class)s%(message)s")
        logging.getLogger("project").warning("mine")

    with unconfigured_logging():
        assert shown_by(log=log) == ""
    assert own.getvalue() == "own: mine\n"


def test_after_the_block_all_of_logging_is_as_it_was():
    def state(root):
        return logging.lastResort, root.level, root.handlers, logging.getLogRecordFactory(), sys.stdout

    with unconfigured_logging() as root:
        before = state(root)
        shown_by(inside=False, log=lambda: None)

        assert state(root) == before


def test_loggers_of_perdure_that_a_project_turned_off_in_passing_can_be_turned_on_again():
    out, err = io.StringIO(), io.StringIO()
    logger = logging.getLogger("perdure.store")
    with LogLines(Console(out, err), Path("/project")) as lines:
        logger.disabled = True  # what dictConfig does to each logger that it does not name
        lines.turn_on_again()

        logger.warning("the disk is slow")

    assert "the disk is slow" in err.getvalue()


def test_a_message_that_does_not_fit_its_arguments_stops_nobody(capsys):
    shown_by(log=lambda: logging.getLogger("perdure.store").warning("%d rows", "many"))

    assert "Logging error" in capsys.readouterr().err
