"""`perdure dev`: serve the Worker of one project on this machine, while it is written. See tests/cli/test_dev.py.

Must stay true: what only one of its ways needs is imported once that way is taken."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.child_process import ChildProcess
from perdure.cli.config_option import ConfigFile
from perdure.cli.dev_options import LOG_FORMATS, LOG_LEVELS, DevOptions
from perdure.cli.exit_code import ExitCode

EXAMPLES = """
Examples:

    perdure dev                            the project of this folder, on http://localhost:8787

    perdure dev -c shop/wrangler.toml      another project

    perdure dev --port 0 --ip 0.0.0.0      any free port, for other machines too

    perdure dev --var GREETING:hi          with another value for one of its variables

    perdure dev --no-reload                one process, for a debugger
"""


def dev(
    context: typer.Context,
    config: ConfigFile = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            metavar="N",
            help="0: any that is free. Without it: 8787, or one nearby if that is taken.",
        ),
    ] = None,
    ip: Annotated[
        str | None, typer.Option(metavar="ADDR", help="The address to listen on; 127.0.0.1: this machine only.")
    ] = None,
    persist_to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the data is kept. Else: .perdure/state beside the configuration."),
    ] = None,
    cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Serve HTTPS with this certificate; needs --key.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's private key.")] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The Worker's name, instead of the configuration's.")
    ] = None,
    var: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY:VALUE", help="A variable, over what files say. May be given again."),
    ] = None,
    env_file: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Secrets from this file instead of .dev.vars and .env. May be given again."),
    ] = None,
    strict_config: Annotated[
        bool, typer.Option("--strict-config", help="Keys that mean nothing here are errors, not warnings.")
    ] = False,
    no_reload: Annotated[
        bool, typer.Option("--no-reload", help="One process, which no change reloads; for a debugger.")
    ] = False,
    log_level: Annotated[
        str, typer.Option(metavar="LEVEL", help=f"What is shown of what is logged: {', '.join(LOG_LEVELS)}.")
    ] = "log",
    log_format: Annotated[
        str, typer.Option(metavar="FORMAT", help="text for people, json for programs: one object a line.")
    ] = "text",
) -> None:
    """Serve this project's Worker and its objects here, show each request, and reload the code when it changes.

    Ctrl-C waits for running requests and ends it; a second one does not wait.
    """
    if (cert is None) != (key is None):
        raise typer.BadParameter("--cert and --key belong together", param_hint="--key" if key is None else "--cert")
    options = DevOptions(
        config=config,
        port=port,
        ip=ip,
        persist_to=persist_to,
        cert=cert,
        key=key,
        name=name,
        variables=tuple(_variable(each) for each in var or ()),
        env_files=tuple(env_file or ()),
        strict_config=strict_config,
        log_level=_one_of(log_level, LOG_LEVELS, "--log-level"),
        log_format=_one_of(log_format, LOG_FORMATS, "--log-format"),
    )
    raise typer.Exit(_alone(options) if no_reload else _reloading(options, context.obj))


def _alone(options: DevOptions) -> ExitCode:
    code: ExitCode = importlib.import_module("perdure.cli.dev_session").run_dev(options)
    return code


def _reloading(options: DevOptions, child: ChildProcess | None) -> int:
    """child: one that is on its way already."""
    try:
        first = child or ChildProcess()
        first.start(options)
        code: int = importlib.import_module("perdure.cli.reload").run_reloading(options, first)
    except KeyboardInterrupt:  # before the parent listened to it: nothing is served yet, and the child ends with us
        return ExitCode.OK
    return code


def _variable(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.isidentifier():
        raise typer.BadParameter(
            f"{text!r} is not KEY:VALUE, with a name that can be an attribute of env; write --var GREETING:hello",
            param_hint="--var",
        )
    return name, value


def _one_of(text: str, allowed: tuple[str, ...], option: str) -> str:
    if text.lower() not in allowed:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(allowed)}", param_hint=option)
    return text.lower()
