"""The command's frame: its sub-commands, and how every error ends.

Belongs here: exit statuses and one-line errors. Does not belong here: any single command.

Exit status: 0 all is well, 1 a check failed (or a run did), 2 wrong input or an error, 130
stopped by Ctrl-C.
"""

import logging
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from telco_pipeline import __version__, logs
from telco_pipeline.cli import (
    bench,
    bench_warehouse,
    broker,
    check,
    consume,
    counterfactual,
    demo,
    export,
    export_collected,
    export_files,
    flat,
    generate,
    history,
    plan,
    realism,
    scenarios,
    signatures,
    stream,
    stream_control,
    training,
    warehouse,
)
from telco_pipeline.errors import TelcoError

FAILED = 2
STOPPED = 130
STOPPED_LINE = "stopped; partitions that are finished stay, nothing is half-written"
DEBUG = "--debug"
_NOT_A_NUMBER = (
    "Input should be a valid integer, unable to parse string as an integer",
    "must be a whole number",
)


class OneLineErrors(TyperGroup):
    """A group of commands in which every error is one line and an exit status."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run a command line and leave the process with its exit status."""
        given = list(sys.argv[1:] if args is None else args)
        # Accepted before and after the command, because it is wanted when something just failed.
        # What comes after `--` is another command's.
        end = given.index("--") if "--" in given else len(given)
        debug = DEBUG in given[:end]
        arguments = [argument for argument in given[:end] if argument != DEBUG] + given[end:]
        name = prog_name or "telco"
        # Typer's own standalone mode would print errors in its way.
        call = partial(super().main, arguments, name, complete_var, False, windows_expand_args)
        begun = time.monotonic()
        status = _status(lambda: call(**extra), debug)
        asked = logs.masked(" ".join(map(str, arguments)))
        took = time.monotonic() - begun
        logs.LOGGER.info("%s %s: exit status %s after %.1f s", name, asked, status, took)
        sys.exit(status)


def _status(call: Callable[[], Any], debug: bool) -> int:
    """Call a command and return its exit status, after saying in one line what went wrong."""
    try:
        status = call()
    except SystemExit:
        raise
    except BaseException as error:
        if debug:
            traceback.print_exception(error)
        status, line = describe(error)
        _say(line)
        return status
    if status == STOPPED:  # what Typer makes of Ctrl-C
        _say(STOPPED_LINE)
    return status if isinstance(status, int) else 0


def describe(error: BaseException) -> tuple[int, str]:
    """Return the exit status and the line for people of whatever ended a command."""
    if _is_interrupt(error):
        return STOPPED, STOPPED_LINE
    if isinstance(error, TelcoError):
        return FAILED, str(error)
    if isinstance(error, typer.TyperException):
        return FAILED, _usage(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return FAILED, f"{where}{error.strerror}"
    return FAILED, f"unexpected {type(error).__name__}: {error} ({DEBUG} shows where)"


def _is_interrupt(error: BaseException) -> bool:
    """Whether this is Ctrl-C, which Dagster may have turned into an error of its own."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    return any(
        isinstance(cause, KeyboardInterrupt | typer.Abort)
        or type(cause).__name__ == "DagsterExecutionInterruptedError"
        for cause in causes
    )


def _usage(error: typer.TyperException) -> str:
    """Return what is wrong with the command line, and what was meant perhaps."""
    message = error.format_message()
    possible = getattr(error, "possibilities", None)
    if possible:
        # Typer lists them in brackets; say it as everywhere else in the command.
        message = f"{message.split(' (')[0]}. Did you mean {' or '.join(sorted(possible))}?"
    context = getattr(error, "ctx", None)
    message = message.replace(*_NOT_A_NUMBER)
    end = "" if message.endswith((".", "?")) else "."
    return f"{message}{end} See: {context.command_path if context else 'telco'} --help"


def _say(line: str) -> None:
    one_line = " ".join(line.split())
    logs.said(one_line, logging.ERROR)
    typer.echo(f"telco: {one_line}", err=True)


app = typer.Typer(
    cls=OneLineErrors,
    name="telco",
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(generate.generate)
app.command()(plan.plan)
app.command()(flat.flat)
app.command()(check.check)
app.command()(demo.demo)
app.command()(counterfactual.counterfactual)
app.command()(realism.realism)
bench.app.command()(bench_warehouse.warehouse)
app.add_typer(bench.app, name="bench")
app.command()(broker.broker)
app.command()(consume.consume)
export.app.command()(training.training)
export_files.register(export.app)
export_collected.register(export.app)
app.add_typer(export.app, name="export")
scenarios.app.command()(signatures.signatures)
scenarios.app.command()(signatures.audit)
app.add_typer(scenarios.app, name="scenarios")
for each in (
    stream_control.stop,
    stream_control.pause,
    stream_control.resume,
    stream_control.status,
):
    stream.app.command()(each)
app.add_typer(stream.app, name="stream")
warehouse.app.command()(history.history)
app.add_typer(warehouse.app, name="warehouse")


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False,
    debug: Annotated[
        bool, typer.Option(DEBUG, help="Show the traceback of an error (allowed anywhere).")
    ] = False,
    log_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Append a log to this file; default: $TELCO_LOG_FILE."),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL",
            help="Log from debug, info, warning, error or critical on, on stderr too; default: "
            "$TELCO_LOG_LEVEL, or info and the file alone.",
        ),
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option(metavar="text|json", help="Form of the log; default: $TELCO_LOG_FORMAT."),
    ] = None,
) -> None:
    """Run a synthetic mobile operator: days of records, their checks and their truth.

    Data go to a lake of Parquet files, one directory per dataset and day. The operator is
    described in scenarios/world.yaml.

    For example:

      telco plan --subscribers 100000 --days 7

      telco generate --subscribers 2000 --days 2 --lake data/small

      telco check --lake data/small

      telco demo
    """
    if version:
        typer.echo(f"telco {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
    else:
        logs.begin(logs.LogSettings.from_env(level=log_level, format=log_format, file=log_file))
        logs.LOGGER.info("telco %s begins", context.invoked_subcommand)


def main() -> None:
    """Run the `telco` command (the console script)."""
    app()
