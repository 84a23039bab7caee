"""Arguments: the options and the help of each command.

Each command's own module is imported when it runs, so that help loads no library.
"""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm._cli import argument_types as types
from chatfsm._cli.log_arguments import add_files, add_log_options, add_reading_options
from chatfsm.replay import FINDINGS

__all__ = [
    "Commands",
    "add_behaviour",
    "add_chat",
    "add_colors",
    "add_command",
    "add_demo",
    "add_replay",
    "add_scrub",
    "add_simulate",
    "add_tenant",
]

Commands = argparse._SubParsersAction  # noqa: SLF001  # argparse has no public name for it

# chatfsm demo

_DEMO: Final = """\
Play one chat that goes wrong in the usual ways, and compare what chatfsm reports with what a
simple polling loop makes of it.

The demo needs no account and no network: it starts a simulated contact center on this machine. One
poll is answered from a cache, one poll breaks off, the reply to one POST is lost, and an agent
starts to type and never stops.
"""
_DEMO_EXIT: Final = """\
exit status: 0 in chatfsm's chat all messages arrived once and in order, and nothing was left open;
1 otherwise; 2 the demo could not start; 130 interrupted.
"""


def add_demo(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `chatfsm demo`."""
    demo = add_command(commands, "demo", "show in seconds what chatfsm is for", _DEMO, _DEMO_EXIT)
    demo.add_argument(
        "--seed",
        metavar="N",
        type=types.integer,
        default=0,
        help="use other ids; the same seed gives the same ids (default: 0)",
    )
    add_colors(demo)
    demo.set_defaults(run=_run_demo)


def add_colors(parser: argparse.ArgumentParser) -> None:
    """Add --plain and --color, which set `color`."""
    colors = parser.add_mutually_exclusive_group()
    colors.add_argument(
        "--plain",
        dest="color",
        action="store_const",
        const="never",
        default="auto",  # argparse takes the default of the first of two options with one dest
        help="use no colours: the same as --color never",
    )
    colors.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="when to use colours (default: auto, which means on a terminal)",
    )


def _run_demo(options: argparse.Namespace) -> int:
    from chatfsm._cli.demo import run  # noqa: PLC0415

    return run(options)


# chatfsm replay

_REPLAY: Final = """\
Replay recorded chats and print the effects of each event.

FILE is a log, a journal, a directory of them, or a pattern; - is standard input. A log holds raw
events as JSON lines, envelopes {"events": [...]}, a case history {"sessions": [...]}, what a
browser recorded (HAR), or a table (CSV, Parquet), plain or as gzip, zstd, xz, bzip2 or zip; the
format is detected from the content. An event belongs to the chat that its "chat_id" names,
otherwise to --unnamed-chat, otherwise to the chat named like the file. Time is taken from the
events, or from the log if it says when it received them: replaying does not wait.
"""
_REPLAY_EXIT: Final = """\
exit status: 0 clean; 1 a finding of --fail-on, a violation with --strict, or a difference with
--verify; 2 input that cannot be read; 130 interrupted, after a summary of what was read.
"""


def add_replay(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `chatfsm replay`."""
    replay = add_command(commands, "replay", "replay recorded chats", _REPLAY, _REPLAY_EXIT)
    add_files(replay)
    output = replay.add_mutually_exclusive_group()
    output.add_argument(
        "--json", action="store_true", help="print one JSON line for each effect, no timeline"
    )
    output.add_argument(
        "--summary", action="store_true", help="print one JSON document: all chats, and totals"
    )
    output.add_argument("--quiet", action="store_true", help="print nothing but errors")
    add_log_options(replay)
    replay.add_argument(
        "--chat", metavar="ID", action="append", type=types.text, help="this chat only; repeatable"
    )
    replay.add_argument(
        "--only-findings", action="store_true", help="print findings only, and their chats"
    )
    replay.add_argument(
        "--explain", action="store_true", help="also print duplicates and late events"
    )
    replay.add_argument(
        "--time",
        choices=("relative", "utc", "local"),
        default="relative",
        help="the times of a timeline: since its first event, or of day (default: relative)",
    )
    replay.add_argument(
        "--rows",
        metavar="N",
        type=types.row_count,
        default=1000,
        help="print at most N rows of a timeline, the first half and the last; 0 prints all "
        "(default: 1000)",
    )
    replay.add_argument(
        "--strict", action="store_true", help="stop at the first violation of the protocol"
    )
    replay.add_argument(
        "--verify",
        action="store_true",
        help="replay journals, compare the effects with the recorded ones, and stop at the first "
        "difference",
    )
    replay.add_argument(
        "--fail-on",
        metavar="KIND",
        action="append",
        type=types.finding_kinds,
        help=f"exit with 1 if there is a finding of this kind: {', '.join(FINDINGS)}, or any; "
        "may be repeated. late: only what came after the reply that ended the chat",
    )
    add_reading_options(replay)
    replay.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="when to use colours: auto, which means on a terminal, always, which needs the extra "
        "cli, or never",
    )
    replay.set_defaults(run=_run_replay, prefers_received=False)


def _run_replay(options: argparse.Namespace) -> int:
    if options.jobs > 1:
        from chatfsm._cli import parallel  # noqa: PLC0415

        return parallel.run(options)
    from chatfsm._cli.replay import run  # noqa: PLC0415

    return run(options)


# chatfsm scrub

_SCRUB: Final = """\
Copy a log without personal data: ids and names become pseudonyms, texts become their length, and
answers to forms, session descriptions and unknown fields are removed. States, effects and times are
kept, and one person has one pseudonym throughout.

To get the same pseudonyms in several logs, use the same key: set CHATFSM_SCRUB_KEY to a secret.
Without it each run makes a key of its own and throws it away.
"""
_SCRUB_EXIT: Final = """\
exit status: 0 the log is scrubbed; 2 a file cannot be read or written; 130 interrupted.
"""


def add_scrub(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `chatfsm scrub`."""
    scrub = add_command(commands, "scrub", "remove personal data from a log", _SCRUB, _SCRUB_EXIT)
    scrub.add_argument("input", metavar="IN", help="a log, or - for standard input")
    scrub.add_argument("output", metavar="OUT", help="the scrubbed log, or - for standard output")
    add_log_options(scrub)
    scrub.add_argument("--force", action="store_true", help="overwrite OUT if it exists")
    scrub.set_defaults(run=_run_scrub)


def _run_scrub(options: argparse.Namespace) -> int:
    from chatfsm._cli.scrub import run  # noqa: PLC0415

    return run(options)


# chatfsm chat

_CHAT: Final = """\
Chat with a contact center, on a terminal or line by line through a pipe.

Two ids identify the client: the app id, from CHATFSM_APP_ID in the environment or --app-id, selects
the entry point of the contact center; the client id, from CHATFSM_CLIENT_ID, identifies the
customer. Without a client id a new one is made, which --state keeps. Each line is sent as a
message, unless it is a command that begins with a slash: /help lists the commands. At the end of a
pipe the chat waits for answers, and is left after 10 seconds without any.
"""
_CHAT_EXIT: Final = """\
exit status: 0 you left the chat, or it ended; 1 it failed, timed out or was gone; 2 there was no
chat at all; 130 interrupted, after what you typed before was sent.
"""


def add_chat(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `chatfsm chat`."""
    chat = add_command(commands, "chat", "chat with a contact center", _CHAT, _CHAT_EXIT)
    chat.add_argument(
        "--url", required=True, type=types.text, help="the API: https:// and the host"
    )
    chat.add_argument(
        "--tenant-url",
        metavar="DOMAIN",
        type=types.text,
        help="the tenant (default: the host of --url)",
    )
    chat.add_argument(
        "--app-id", metavar="ID", type=types.text, help="the app id (default: CHATFSM_APP_ID)"
    )
    chat.add_argument(
        *("--version", "--api-version"),
        dest="api",
        type=int,
        choices=(1, 2),
        default=2,
        help="the version of the API (default: 2)",
    )
    chat.add_argument(
        "--form",
        metavar="NAME=FIELD,FIELD",
        action="append",
        type=types.form_fields,
        help="the fields of a form, to be asked one by one; may be repeated. Any other form is "
        "answered in lines name=value, ended by an empty line",
    )
    chat.add_argument(
        "--state",
        metavar="FILE",
        type=types.text,
        help="keep the chat in this file, and continue the one that is in it",
    )
    chat.add_argument(
        "--record", metavar="FILE", type=types.text, help="append a journal of the chat to FILE"
    )
    chat.add_argument(
        "--plain",
        action="store_true",
        help="use no colours and no line editing, even on a terminal, which then shows all that "
        "is typed",
    )
    chat.add_argument(
        "--insecure-http",
        action="store_true",
        help="allow http://, which is not encrypted: for tests on this machine",
    )
    chat.set_defaults(run=_run_chat)


def _run_chat(options: argparse.Namespace) -> int:
    from chatfsm._cli.chat import run  # noqa: PLC0415

    return run(options)


# chatfsm simulate

_SIMULATE: Final = """\
Serve a simulated contact center on this machine, to develop and test clients of any kind. It has
the whole API, and its agents play a scenario. Nothing leaves the machine.

SCRIPT is what the app id "demo" plays: a scenario as JSON, or a recorded log, whose server events
are then sent again. Without SCRIPT, --scenario names a built-in scenario. Each built-in scenario is
also available under its own name as the app id. Any client id is accepted.
"""
_SIMULATE_EXIT: Final = """\
exit status: 0 stopped by Ctrl-C or SIGTERM; 2 it could not start.
"""
_PORT: Final = 8765
"""Easy to remember, and of no well-known service."""


def add_simulate(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `chatfsm simulate`."""
    simulate = add_command(
        commands, "simulate", "serve a simulated contact center", _SIMULATE, _SIMULATE_EXIT
    )
    script = simulate.add_mutually_exclusive_group()
    script.add_argument("script", nargs="?", metavar="SCRIPT", help="a scenario, or a recorded log")
    script.add_argument(
        "--scenario",
        metavar="NAME",
        type=types.text,
        help="the built-in scenario that the app id demo plays (default: echo)",
    )
    script.add_argument(
        "--list", action="store_true", help="list the built-in scenarios and the faults, and exit"
    )
    simulate.add_argument(
        "--chat-id", metavar="ID", type=types.text, help="the chat of the log to play"
    )
    simulate.add_argument(
        "--web", action="store_true", help="also serve a web page for chatting in a browser"
    )
    simulate.add_argument(
        "--control",
        action="store_true",
        help="also serve an API for tests at /__control, to this machine only: list the requests "
        "seen, send events, set faults, end chats, let time pass; GET /__control/ lists its paths",
    )
    simulate.add_argument(
        "--host",
        metavar="ADDRESS",
        type=types.text,
        default="127.0.0.1",
        help="the address to listen on; 0.0.0.0 lets in the whole network (default: 127.0.0.1)",
    )
    simulate.add_argument(
        "--port",
        metavar="N",
        type=types.port,
        default=_PORT,
        help=f"the port to listen on; 0 takes a free one (default: {_PORT})",
    )
    simulate.add_argument(
        "--allow-origin",
        metavar="ORIGIN",
        type=types.origin,
        action="append",
        default=[],
        help="let pages of this origin use the API, besides those on this machine; may be repeated",
    )
    add_tenant(simulate)
    _add_staff(simulate)
    add_behaviour(simulate)
    simulate.add_argument(
        "--speed",
        metavar="X",
        type=types.speed,
        default=1.0,
        help="let time pass X times as fast in the contact center (default: 1)",
    )
    simulate.add_argument(
        "--record",
        metavar="FILE",
        type=types.text,
        help="write the events of all chats to this new file, which `chatfsm replay` reads",
    )
    simulate.add_argument(
        "--quiet", action="store_true", help="do not log requests on standard error"
    )
    simulate.set_defaults(run=_run_simulate)


def add_tenant(parser: argparse.ArgumentParser) -> None:
    """Add --tenant."""
    parser.add_argument(
        "--tenant",
        metavar="DOMAIN",
        type=types.domain,
        default="tenant.example",
        help="the tenant's domain (default: tenant.example)",
    )


def _add_staff(simulate: argparse.ArgumentParser) -> None:
    simulate.add_argument(
        "--agents", metavar="N", type=types.agent_count, help="the number of agents (default: 3)"
    )
    simulate.add_argument(
        "--capacity",
        metavar="N",
        type=types.agent_count,
        help="the most chats of an agent at once (default: 4)",
    )


def add_behaviour(parser: argparse.ArgumentParser) -> None:
    """Add the faults of a simulated contact center and its ways."""
    parser.add_argument(
        "--faults",
        metavar="SPEC",
        type=types.text,
        help="inject faults, such as storm or drop-reply:0.05; `chatfsm simulate --list` lists "
        "them",
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=types.integer,
        default=0,
        help="use other ids, and inject faults at other times; the same seed gives the same "
        "(default: 0)",
    )
    parser.add_argument(
        "--milliseconds",
        action="store_true",
        help="send timestamps in milliseconds, as documented, not in seconds, as observed",
    )
    parser.add_argument(
        "--hold",
        metavar="SECONDS",
        type=types.seconds,
        help="hold a poll this long if there is no event (default: 12)",
    )
    parser.add_argument(
        "--inactivity",
        metavar="SECONDS",
        type=types.seconds,
        help="end a chat after this long without a message from the customer, and warn after half "
        "of it (default: 600)",
    )


def _run_simulate(options: argparse.Namespace) -> int:
    from chatfsm._cli.simulate import run  # noqa: PLC0415

    return run(options)


def add_command(
    commands: Commands[argparse.ArgumentParser],
    name: str,
    summary: str,
    description: str,
    epilog: str,
) -> argparse.ArgumentParser:
    """Add a command: its summary in the list of commands, and its own help."""
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
