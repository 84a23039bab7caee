"""Arguments that the commands that read logs have in common."""

from __future__ import annotations

import argparse

from chatfsm._cli import argument_types as types

__all__ = [
    "add_close_after",
    "add_files",
    "add_jobs",
    "add_log_options",
    "add_reading_options",
    "add_threshold",
]


def add_files(command: argparse.ArgumentParser) -> None:
    """Add the names of the logs."""
    command.add_argument("files", nargs="+", metavar="FILE", help="a log, or - for standard input")


def add_log_options(command: argparse.ArgumentParser) -> None:
    """Add the options of all commands that read logs."""
    command.add_argument(
        *("--unnamed-chat", "--chat-id"),
        metavar="ID",
        type=types.text,
        help="the chat of events that name no chat (default: one for each file)",
    )
    command.add_argument(
        "--received-at",
        metavar="FIELD",
        type=types.text,
        help="the field with the time at which an event was received, which counts for events "
        "without a time (default: received_at, recv_ts or @timestamp)",
    )
    command.add_argument(
        "--unwrap",
        metavar="FIELD",
        type=types.text,
        help="read the event in this field of each line, such as payload or record.message; or "
        "docker, kubectl, or text for an event after other words (default: recognized if all "
        "lines agree)",
    )


def add_close_after(command: argparse.ArgumentParser) -> None:
    """Add --close-after, for commands that replay logs."""
    command.add_argument(
        "--close-after",
        metavar="SECONDS",
        type=types.seconds,
        help="finish a chat and free its memory after this long without an event in the log "
        "(default: never)",
    )


def add_reading_options(command: argparse.ArgumentParser) -> None:
    """Add --close-after and --jobs, for commands that may replay logs in several processes."""
    add_close_after(command)
    add_jobs(command)


def add_jobs(command: argparse.ArgumentParser) -> None:
    """Add --jobs."""
    command.add_argument(
        "--jobs",
        metavar="N",
        type=types.job_count,
        default=1,
        help=f"read in N processes, 1 to {types.MAX_JOBS}, with the same output. Standard input, "
        "other pipes, --close-after, timelines on a terminal, and a single file that is compressed "
        "or has no JSON lines use one process (default: 1)",
    )


def add_threshold(command: argparse.ArgumentParser, condition: str = "") -> None:
    """Add --threshold, for commands that compute a service level."""
    command.add_argument(
        "--threshold",
        metavar="SECONDS",
        type=types.seconds,
        default=20.0,
        help=f"{condition}the time within which a chat is to be answered, for the service level "
        "(default: 20)",
    )
