"""Arguments of `chatfsm judge`: its options and its help."""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm._cli import argument_types as types
from chatfsm._cli.arguments import (
    Commands,
    add_behaviour,
    add_colors,
    add_command,
    add_tenant,
)

__all__ = ["add_judge"]

_JUDGE: Final = """\
Run a client, in whatever language, against a simulated contact center, and judge its requests.

COMMAND is run with CHATFSM_URL, CHATFSM_TENANT, CHATFSM_APP_ID and CHATFSM_CLIENT_ID in its
environment, and with {url}, {tenant}, {app_id} and {client_id} in its arguments replaced. It should
request a chat, poll for events, say something, and exit with status 0 after the end of the chat.
All that it prints goes to standard error. Nothing leaves the machine. For example:

  chatfsm judge --faults lossy -- node client.js --url {url} --tenant {tenant}
"""
_JUDGE_EXIT: Final = """\
exit status: 0 the client broke no rule; 1 it broke one; 2 it could not be judged; 130 interrupted.
"""


def add_judge(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `chatfsm judge`."""
    judge = add_command(commands, "judge", "judge a client of any make", _JUDGE, _JUDGE_EXIT)
    judge.usage = "%(prog)s [options] -- COMMAND ..."
    judge.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="COMMAND", help="the client, and its arguments"
    )
    script = judge.add_mutually_exclusive_group()
    script.add_argument(
        "--scenario",
        metavar="NAME",
        type=types.text,
        help="the built-in scenario that the agents play; `chatfsm simulate --list` lists them "
        "(default: echo)",
    )
    script.add_argument(
        "--script",
        metavar="FILE",
        type=types.text,
        help="a scenario as JSON, or a recorded log, whose server events are then sent again",
    )
    judge.add_argument(
        "--chat-id", metavar="ID", type=types.text, help="the chat of the log to play"
    )
    add_tenant(judge)
    add_behaviour(judge)
    judge.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=types.seconds,
        default=60.0,
        help="end the client, with all processes that it has started, after this long, which "
        "breaks the rule client-ends (default: 60)",
    )
    _add_verdict(judge)
    judge.set_defaults(run=_run_judge)


def _add_verdict(judge: argparse.ArgumentParser) -> None:
    judge.add_argument(
        "--ignore",
        metavar="RULE",
        type=types.text,
        action="append",
        default=[],
        help="do not judge by this rule; may be repeated",
    )
    judge.add_argument(
        "--list-rules", action="store_true", help="list the rules and their severity, and exit"
    )
    judge.add_argument("--json", action="store_true", help="print the verdict as one JSON document")
    judge.add_argument(
        "--quiet",
        action="store_true",
        help="drop what the client prints, and show the verdict only",
    )
    add_colors(judge)


def _run_judge(options: argparse.Namespace) -> int:
    from chatfsm._cli.judge import run  # noqa: PLC0415

    return run(options)
