"""`perdure dev`: serve the Worker of one project on this machine, while it is written. See tests/cli/test_dev_session.py."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.console import Console, tune_streams
from perdure.cli.dev_session import DevOptions, DevSession
from perdure.cli.exit_code import ExitCode
from perdure.host.loop import new_loop, raise_open_files_limit, share_interpreter_often

EXAMPLES = """
Examples:

    perdure dev                            the project of this folder, on http://localhost:8787

    perdure dev -c shop/wrangler.toml      another project

    perdure dev --port 0 --ip 0.0.0.0      any free port, for other machines too
"""


def dev(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", metavar="FILE", help="The project's configuration. Else: the nearest, upwards from here."
        ),
    ] = None,
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
) -> None:
    """Serve this project's Worker and its objects here, and show each request.

    Ctrl-C waits for running requests and ends it; a second one does not wait.
    """
    if (cert is None) != (key is None):
        raise typer.BadParameter("--cert and --key belong together", param_hint="--key" if key is None else "--cert")
    tune_streams()
    raise_open_files_limit()
    share_interpreter_often()
    session = DevSession(DevOptions(config, port, ip, persist_to, cert, key), Console())
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            code = runner.run(session.run())
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    raise typer.Exit(code)
