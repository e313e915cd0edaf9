"""`perdure alarms`: which alarms are to come, which were given up, and what to do with one. See
tests/cli/test_alarms_command.py."""

from typing import Annotated, Any

import typer

from perdure.cli.command_group import command_group
from perdure.cli.config_option import ConfigFile
from perdure.cli.console import Console
from perdure.cli.data_question import Answer, AsJson, ClassName, DataFolderOption, ObjectName, ask_and_say, whose
from perdure.cli.table import table
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

    def say(console: Console, answer: Answer) -> None:
        found: list[dict[str, Any]] = answer["alarms"]
        if not found:
            console.line("No alarms were given up" if dead else "No alarms")
            return
        fields = GIVEN_UP if dead else PENDING
        for line in table(fields, ([each[field] for field in fields] for each in found)):
            console.line(line)
        if answer["more"]:
            console.line("There are more: --limit")

    ask_and_say(ListAlarms(dead, limit), say, data=data, config=config, as_json=as_json)


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

    def say(console: Console, answer: Answer) -> None:
        console.line(f"{whose(answer)}: the alarm of {answer['alarm']} is due now")

    ask_and_say(RetryAlarm(class_name, object, dead), say, data=data, config=config, as_json=as_json)


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

    def say(console: Console, answer: Answer) -> None:
        count = answer["dropped"]
        console.line(f"{whose(answer)}: {count} alarm{'' if count == 1 else 's'} dropped")

    ask_and_say(DropAlarm(class_name, object, dead), say, data=data, config=config, as_json=as_json)
