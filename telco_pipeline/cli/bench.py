"""`telco bench`: speed and memory beside the peers; `telco bench stream`: the way to Kafka.

Belongs here: the options and the table. Does not belong here: measuring (`benchmarks/`, which
lies in the repository beside the package).
"""

import datetime as dt
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from benchmarks import stream as streaming
    from benchmarks.suite import Report
    from telco_pipeline.streaming.layout import Topic

# Ten times the rows from the one size to the other, which shows whether memory grows with them.
FULL_SIZES = (30_000, 300_000)
FULL_ROUNDS = 3
FULL_SUBJECTS = ("subscribers", "cdrs_voice", "cdrs_data")
# Two whole parts, so that two workers have something to do each.
QUICK_SIZES = (65_536,)
QUICK_ROUNDS = 2
QUICK_SUBJECTS = ("cdrs_voice", "all cdrs")
LOOP_ROWS = 20_000
STREAM_RECORDS = 500_000
STREAM_ROUNDS = 3
PACED_RATE = 10_000.0
PACED_SECONDS = 60.0
MOST = 1e7

app = typer.Typer()


@app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="One size and two rounds of cdrs_voice and all cdrs: 3 minutes."
        ),
    ] = False,
    subscribers: Annotated[
        str | None,
        typer.Option(metavar="N[,M]", help="Sizes; default: 30000,300000 (quick: 65536)."),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Runs of each contender; medians are shown; default: 3 (quick: 2)."
        ),
    ] = None,
    subjects: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="A,B",
            help="Of: subscribers, cdrs_voice, cdrs_sms, cdrs_data, all cdrs; default: "
            "subscribers, cdrs_voice, cdrs_data (quick: cdrs_voice, all cdrs).",
        ),
    ] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON too.")
    ] = None,
    world_file: options.WorldFile = None,
) -> None:
    """Measure rows/s, cells/s and peak memory, beside peers in the same run.

    Peers: a plain NumPy+Polars generator of random rows without a model, and, where installed,
    tpchgen-cli and row loops with Faker and mimesis. Cells count rows times columns, without
    columns that are constant, all null or copies.

    It takes about 11 minutes on two quiet cores, with --quick 3 minutes.

    For example:

      telco bench --quick

      telco bench --subscribers 50000 --rounds 1 --only cdrs_voice --json bench.json
    """
    if context.invoked_subcommand is not None:
        return
    from telco_pipeline.cli.display import progress
    from telco_pipeline.settings import Settings

    options.at_least_one("--rounds", rounds)
    try:
        from benchmarks import suite
    except ImportError as error:
        raise needs_the_repository(error) from error
    target = json_target(json_file)
    plan = suite.Plan(
        sizes=_sizes(subscribers, quick),
        rounds=rounds or (QUICK_ROUNDS if quick else FULL_ROUNDS),
        loop_rows=LOOP_ROWS,
        world_file=world_file or str(Settings.from_env().world_file),
        subjects=_subjects(subjects, suite.SUBJECTS, QUICK_SUBJECTS if quick else FULL_SUBJECTS),
    )
    with progress("steps", "Measuring", suite.steps(plan)) as meter:
        report = suite.run(plan, meter.step)
    _show(report)
    if target:
        target.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
        typer.echo(f"Written to {target}")


@app.command()
def stream(
    lake: options.LakeDirectory = None,
    day: Annotated[
        str | None, typer.Option(metavar="DATE", help="Day of the lake; default: its first.")
    ] = None,
    records: Annotated[
        int, typer.Option(metavar="N", help="Records of each run, at most.")
    ] = STREAM_RECORDS,
    rounds: Annotated[
        int, typer.Option(metavar="N", help="Runs of each contender.")
    ] = STREAM_ROUNDS,
    rate: Annotated[
        float, typer.Option(metavar="N", help="Records a second of the paced run.")
    ] = PACED_RATE,
    seconds: Annotated[
        float, typer.Option(metavar="N", help="How long the paced run lasts; 0 for none.")
    ] = PACED_SECONDS,
    bootstrap_servers: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="A broker; default: Apache Kafka is started for it."
        ),
    ] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON too.")
    ] = None,
) -> None:
    """Measure records/s and memory from a day of the lake to Kafka, and lateness at a pace.

    In the same run, in turn: ready-made bytes with produce_batch, and the whole stream with
    and without headers. The bar is 300,000 records/s, or 0.7 of what ready-made bytes reach if that
    is less.

    For example:

      telco bench stream --lake data/small --rounds 2 --seconds 30
    """
    from telco_pipeline.cli.display import progress

    for name, number in (("--records", records), ("--rounds", rounds)):
        options.at_least_one(name, number)
    if not 0 < rate < MOST:
        raise TelcoError(f"--rate {rate:g}: must be above 0 and below {MOST:,.0f}")
    if not 0 <= seconds < MOST:
        raise TelcoError(f"--seconds {seconds:g}: must be 0 or more, and below {MOST:,.0f}")
    asked = options.day_of("--day", day)
    target = json_target(json_file)
    try:
        from benchmarks import stream as streaming
    except ImportError as error:
        raise needs_the_repository(error) from error
    from telco_pipeline.streaming.settings_file import load_settings

    root = options.lake_root(lake)
    settings = load_settings()
    plan = streaming.Plan(
        root,
        asked or _first_day(root, settings.topics),
        settings,
        records,
        rounds,
        rate,
        seconds,
        bootstrap_servers,
    )
    with progress("runs", "Measuring", streaming.steps(plan)) as meter:
        report = streaming.run(plan, meter.step)
    _show_stream(report)
    if target:
        target.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
        typer.echo(f"Written to {target}")


def _first_day(root: str, topics: "Sequence[Topic]") -> dt.date:
    """Return the first day that the lake has of the topics' datasets."""
    from telco_pipeline.lake import Lake

    held = Lake(root)
    days = [day for topic in topics for name in topic.datasets for day in held.days(name)]
    if not days:
        raise TelcoError(f"{root} holds no records: make some with telco generate, or name --lake")
    return min(days)


def needs_the_repository(error: ImportError) -> TelcoError:
    """Return the error that says why there are no benchmarks."""
    return TelcoError(
        f"telco bench needs the repository and its packages ({error.name} is missing): "
        "run `make setup` in a checkout and call it there"
    )


def _sizes(text: str | None, quick: bool) -> tuple[int, ...]:
    if text is None:
        return QUICK_SIZES if quick else FULL_SIZES
    parts = [part.strip().replace("_", "") for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise TelcoError(f"--subscribers {text!r}: write one or two numbers, such as 20000,200000")
    return tuple(sorted({int(part) for part in parts}))


def _subjects(
    text: str | None, known: Collection[str], default: tuple[str, ...]
) -> tuple[str, ...]:
    if text is None:
        return default
    asked = [part.strip() for part in text.split(",") if part.strip()]
    for name in asked:
        if name not in known:
            raise TelcoError(f"--only {name!r}{options.did_you_mean(name, known)}")
    return tuple(name for name in known if name in asked)


def json_target(text: str | None) -> Path | None:
    """Refuse a file that cannot be written now, rather than after all the work."""
    if text is None:
        return None
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise TelcoError(f"--json {text}: name a file in a directory that exists")
    return path


def _show(report: "Report") -> None:
    from telco_pipeline.cli.display import Column, count, print_line, print_table

    print_table(
        "Speed and memory (medians)",
        [
            Column("who"),
            Column("what"),
            Column("subscribers", True),
            Column("workers", True),
            Column("rows", True),
            Column("cold rows/s", True),
            Column("warm rows/s", True),
            Column("cells/row", True),
            Column("M cells/s", True),
            Column("peak MB", True),
        ],
        [
            [
                r.name,
                r.subject,
                count(r.subscribers) if r.subscribers else "-",
                str(r.workers),
                count(r.rows),
                count(r.cold_rate),
                count(r.warm_rate) if r.warm_seconds else "-",
                f"{r.cells_per_row:.1f}",
                f"{r.cell_rate / 1e6:.1f}",
                count(r.peak / 1e6),
            ]
            for r in report.results
        ],
    )
    print_table(
        "Ours over random rows, in cells/s (warm)",
        [
            Column("what"),
            Column("subscribers", True),
            Column("workers", True),
            Column("over"),
            Column("times", True),
        ],
        [
            [what, count(size), str(workers), peer, f"{ratio:.2f}"]
            for what, size, workers, peer, ratio in report.ratios()
        ],
    )
    if growth := report.memory_growth():
        print_table(
            "Memory from the smallest to the largest size",
            [
                Column("what"),
                Column("workers", True),
                Column("rows, times", True),
                Column("peak, times", True),
            ],
            [
                [what, str(workers), f"{rows:.1f}", f"{peak:.2f}"]
                for what, workers, rows, peak in growth
            ],
        )
    if report.left_out:
        print_line(f"Left out, not installed: {', '.join(report.left_out)}.")
    print_line("Cold: a new process and one day. Warm: three more days; M cells/s are warm ones.")
    print_line(
        "Peak: all processes together, Python and its libraries included; with ours, the registry "
        "and the network of the whole operator are part of it, so it grows a little with them."
    )
    print_line("Row loops are measured on few rows; their rate does not depend on the number.")


def _show_stream(report: "streaming.Report") -> None:
    from benchmarks.stream import BAR_RATE, BAR_SHARE, READY
    from telco_pipeline.cli.display import Column, count, print_line, print_table

    shares = dict(report.shares())
    print_table(
        "A day to Kafka (medians)",
        [
            Column("who"),
            Column("records", True),
            Column("records/s", True),
            Column("MB/s", True),
            Column("of ready-made", True),
            Column("CPU µs/record", True),
            Column("the broker's", True),
            Column("peak MB", True),
        ],
        [
            [
                result.name,
                count(result.records),
                count(result.rate),
                f"{result.bytes / result.records * result.rate / 1e6:.0f}",
                f"{shares[result.name]:.2f}" if result.name in shares else "-",
                f"{result.cpu:.1f}",
                "-" if result.broker_cpu is None else f"{result.broker_cpu:.1f}",
                count(result.peak / 1e6),
            ]
            for result in report.results.values()
        ],
    )
    bar = min(BAR_RATE, BAR_SHARE * report.results[READY].rate)
    print_line(f"The bar: {count(bar)} records/s.")
    if report.paced is not None:
        paced = report.paced
        print_line(
            f"Paced at {paced['asked']:,.0f} records/s: {paced['achieved']:,.1f} achieved "
            f"({paced['achieved'] / paced['asked']:.2%}); lateness to the broker's acknowledgement "
            f"of a record p50 {paced['ack_median'] * 1e3:.0f} ms, p99 {paced['ack_p99'] * 1e3:.0f} "
            f"ms, most {paced['ack_worst'] * 1e3:.0f} ms; to that of its transaction p50 "
            f"{paced['commit_median'] * 1e3:.0f} ms, p99 {paced['commit_p99'] * 1e3:.0f} ms, most "
            f"{paced['commit_worst'] * 1e3:.0f} ms; peak {paced['peak'] / 1e6:,.0f} MB."
        )
