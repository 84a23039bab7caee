"""Command `chatfsm`: the entry point, and the exit codes of all commands."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Final, NoReturn, cast

from chatfsm._cli.arguments import add_chat, add_demo, add_replay, add_scrub, add_simulate
from chatfsm._cli.coverage_arguments import add_coverage
from chatfsm._cli.diff_arguments import add_diff
from chatfsm._cli.export_arguments import add_export
from chatfsm._cli.judge_arguments import add_judge
from chatfsm._cli.metrics_arguments import add_metrics
from chatfsm._cli.report_arguments import add_report
from chatfsm._cli.schema_arguments import add_schema
from chatfsm._cli.terminal_text import harmless_text, prepare_streams, print_error
from chatfsm._cli.watch_arguments import add_watch
from chatfsm._version import __version__
from chatfsm.errors import ChatError

__all__ = ["ExitCode", "main"]


class ExitCode(IntEnum):
    """Exit codes of all commands."""

    SUCCESS = 0
    FAILURE = 1
    """The command did its work, and the result is bad: a finding, a failed chat, a lossy demo."""
    ERROR = 2
    """The command could not do its work: bad usage, unreadable input, no server, no output."""
    INTERRUPTED = 130
    """Ctrl-C: 128 and the number of SIGINT."""


_COMMANDS: Final = {
    "demo": add_demo,
    "replay": add_replay,
    "metrics": add_metrics,
    "report": add_report,
    "diff": add_diff,
    "coverage": add_coverage,
    "scrub": add_scrub,
    "chat": add_chat,
    "simulate": add_simulate,
    "watch": add_watch,
    "judge": add_judge,
    "export": add_export,
    "schema": add_schema,
}

# Net number of new objects that starts the cyclic garbage collector. A command makes few cycles;
# with CPython's own 700, looking for them takes 4 % of a replay of 300 chats that take turns.
_COLLECTION_THRESHOLD: Final = 20_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, by default those of the process.

    Returns its exit code. Raises SystemExit for help, the version and wrong arguments.
    """
    if sys.stdout is None:
        print_error("there is no standard output")
        return ExitCode.ERROR
    prepare_streams()
    words = sys.argv[1:] if arguments is None else arguments
    try:
        with _collecting_rarely():
            options = _parser(*words[:1]).parse_args(words)
            status: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:  # where the command does not handle it itself
        print_error("interrupted")
        return ExitCode.INTERRUPTED
    except ChatError as error:
        print_error(error)
        return ExitCode.ERROR
    except OSError as error:
        # The buffer is flushed once more when Python exits, and must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return ExitCode.SUCCESS  # the reader of the output, such as head, has ended
        print_error(f"cannot write: {error.strerror}")
        return ExitCode.ERROR
    return status


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Let the cyclic garbage collector run rarely."""
    before = gc.get_threshold()
    gc.set_threshold(_COLLECTION_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _parser(wanted: str = "") -> argparse.ArgumentParser:
    """The parser of all commands; of the wanted one alone if there is such a command.

    Parsing the arguments of a command needs no other, and takes half as long without them.
    """
    # Known as its base class: type checkers take the type of the subcommands from it.
    parser = cast(
        "argparse.ArgumentParser",
        _Parser(
            prog="chatfsm",
            description="Chat with a contact center, replay recorded chats, simulate a center, "
            "judge clients.",
        ),
    )
    parser.add_argument("--version", action="version", version=f"chatfsm {__version__}")
    parser.add_argument(
        "--print-completion",
        action=_PrintCompletion,
        choices=("bash", "zsh", "fish", "tcsh"),
        help="print the completion script of a shell and exit (extra cli)",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    parser.set_defaults(run=lambda _: _print_help(parser))
    for name, add in _COMMANDS.items():
        if name == wanted or wanted not in _COMMANDS:
            add(commands)
    return parser


def _print_help(parser: argparse.ArgumentParser) -> int:
    """Print help where a command is missing: wrong usage, which a script must notice."""
    if sys.stderr is not None:
        parser.print_help(sys.stderr)
    return ExitCode.ERROR


class _Parser(argparse.ArgumentParser):
    """A parser whose errors cannot harm a terminal: they quote the arguments."""

    def error(self, message: str) -> NoReturn:
        super().error(harmless_text(message))


class _PrintCompletion(argparse.Action):
    """Prints the completion script of a shell."""

    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: object, values: object, *_: object
    ) -> None:
        from chatfsm._cli.completion import completion_script  # noqa: PLC0415  # for this alone

        sys.stdout.write(completion_script(parser, str(values)))
        parser.exit()
