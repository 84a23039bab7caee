"""Arguments of `chatfsm metrics`: its options and its help."""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm._cli import argument_types as types
from chatfsm._cli.arguments import Commands, add_command
from chatfsm._cli.log_arguments import (
    add_files,
    add_log_options,
    add_reading_options,
    add_threshold,
)

__all__ = ["add_metrics"]

_METRICS: Final = """\
Measure recorded chats: how long customers waited and agents took to answer, how chats ended.

The files are those that `chatfsm replay` reads. A human agent is a party of type internal or
msteams. The service level is the share of the chats that were answered or abandoned that was
answered within --threshold. Times are ISO 8601 in UTC, seconds are numbers, and percentiles lie
between the sorted values.
"""
_METRICS_EXIT: Final = """\
exit status: 0 all files were read; 2 a file cannot be read, or the output not be written; 130
interrupted, after the metrics of what was read.
"""


def add_metrics(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `chatfsm metrics`."""
    metrics = add_command(commands, "metrics", "measure recorded chats", _METRICS, _METRICS_EXIT)
    add_files(metrics)
    metrics.add_argument(
        "--per",
        choices=("chat", "agent", "day", "total"),
        default="total",
        help="a row for each chat, human agent or day in UTC, or the totals (default: total)",
    )
    metrics.add_argument(
        "--format",
        choices=("table", "json", "csv", "parquet"),
        default="table",
        help="table has the main columns, csv and parquet (extra parquet) have all; json is one "
        "document of chats, agents and totals, and of days with --per day (default: table)",
    )
    metrics.add_argument(
        *("--output", "-o"), metavar="FILE", type=types.text, help="write there (default: print)"
    )
    add_threshold(metrics)
    add_log_options(metrics)
    add_reading_options(metrics)
    unused = {"strict": False, "verify": False, "explain": False, "chat": None}
    metrics.set_defaults(run=_run_metrics, prefers_received=True, **unused)


def _run_metrics(options: argparse.Namespace) -> int:
    from chatfsm._cli.metrics import run  # noqa: PLC0415

    return run(options)
