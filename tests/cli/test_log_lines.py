"""What Perdure logs is shown while it serves; what the project logs goes where the project sends it."""

import io
import logging
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


def test_what_the_project_logs_is_left_to_the_project():
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
