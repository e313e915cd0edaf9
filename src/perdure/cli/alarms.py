"""`perdure alarms`: which alarms are to come, which were given up, and what to do with one. See
tests/cli/test_alarms_command.py."""

import json
from typing import Annotated, Any

import typer

from perdure.cli.command_group import command_group
from perdure.cli.config_option import ConfigFile
from perdure.cli.console import Console, tune_streams
from perdure.cli.data_question import AsJson, ClassName, DataFolderOption, ObjectName, answered
from perdure.cli.table import printable, table
from perdure.host.inspection_request import LISTED_MAX, DropAlarm, ListAlarms, RetryAlarm

EXAMPLES = """
Examples:

    perdure alarms list                      those to come, the next one of each class first

    perdure alarms list --dead               those that were given up after their last retry

    perdure alarms retry Room lobby --dead   run the one that was given up again

    perdure alarms drop Room lobby           do not wake the object
"""
PENDING = ("class", "name", "id", "alarm", "due", "retries", "error")
GIVEN_UP = ("class", "name", "id", "alarm", "given_up", "retries", "error")

Dead = Annotated[bool, typer.Option("--dead", help="Those that were given up after their last retry.")]

alarms = command_group("alarms", "See the alarms of a data folder, and retry or drop one.", EXAMPLES)


@alarms.command(name="list", epilog="Example:\n\n    perdure alarms list --dead")
def list_alarms(
    dead: Dead = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=LISTED_MAX, help="How many at most.")] = 1000,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the alarms that are to come: when the object asked for it, and when it is tried next, later after a failure."""
    tune_streams()
    request = ListAlarms(dead, limit)
    answer = answered(lambda access: access.ask(request), data=data, config=config, as_json=as_json)
    console = Console()
    if as_json:
        console.line(json.dumps(answer))
        return
    found: list[dict[str, Any]] = answer["alarms"]
    if not found:
        console.line("No alarms were given up" if dead else "No alarms")
        return
    fields = GIVEN_UP if dead else PENDING
    for line in table(fields, ([each[field] for field in fields] for each in found)):
        console.line(line)
    if answer["more"]:
        console.line("There are more: --limit")


@alarms.command(name="retry", epilog="Example:\n\n    perdure alarms retry Room lobby --dead")
def retry_alarm(
    class_name: ClassName,
    object: ObjectName,
    dead: Dead = False,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Try an alarm that has failed again now: at once where its Worker runs, else as soon as it does."""
    tune_streams()
    request = RetryAlarm(class_name, object, dead)
    answer = answered(lambda access: access.ask(request), data=data, config=config, as_json=as_json)
    _say(answer, f"the alarm of {answer['alarm']} is due now", as_json)


@alarms.command(name="drop", epilog="Example:\n\n    perdure alarms drop Room lobby")
def drop_alarm(
    class_name: ClassName,
    object: ObjectName,
    dead: Dead = False,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Delete an object's alarm, or with --dead forget all of it that were given up."""
    tune_streams()
    request = DropAlarm(class_name, object, dead)
    answer = answered(lambda access: access.ask(request), data=data, config=config, as_json=as_json)
    count = answer["dropped"]
    _say(answer, f"{count} alarm{'' if count == 1 else 's'} dropped", as_json)


def _say(answer: dict[str, Any], text: str, as_json: bool) -> None:
    whose = f"{answer['class']}/{printable(answer['name'] or answer['id'])}"
    Console().line(json.dumps(answer) if as_json else f"{whose}: {text}")
