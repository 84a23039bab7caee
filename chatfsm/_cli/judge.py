"""Command `chatfsm judge`: runs a client of any make against a simulator, and judges it."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal, TextIO

from attrs import evolve

from chatfsm._cli import ExitCode
from chatfsm._cli.client_process import ClientExit, run_client
from chatfsm._cli.simulate import (
    builtin_scenario,
    center_settings,
    load_scenario,
    parse_faults,
)
from chatfsm._cli.terminal import STYLES, TimelinePrinter, style_for
from chatfsm._cli.terminal_text import harmless_text
from chatfsm.errors import ChatError
from chatfsm.simulator.builtin_scenarios import build_tenant
from chatfsm.simulator.center import ContactCenter
from chatfsm.testing.judge import Judge, Verdict, Violation
from chatfsm.testing.judge_rules import RULES

if TYPE_CHECKING:
    from chatfsm.testing.served import ServedCenter

__all__ = ["VerdictPrinter", "printer_for", "run"]

_DEFAULT_SCENARIO: Final = "echo"


def run(options: Namespace) -> int:
    """Run the command and return its exit code. Raises `ChatError`."""
    printer = printer_for(sys.stdout, options.color)
    if options.list_rules:
        printer.rules()
        return ExitCode.SUCCESS
    command = options.command[options.command[:1] == ["--"] :]
    if not command:
        raise ChatError("COMMAND must follow the options: chatfsm judge [options] -- COMMAND ...")
    judge = Judge()
    try:
        judge.verdict().ignoring(options.ignore)
    except ValueError as error:
        raise ChatError(f"--ignore: {error}") from None
    served = _served_center(options)
    verdict = _judge(command, judge, served, options).ignoring(options.ignore)
    if options.json:
        sys.stdout.write(json.dumps(verdict.to_json()) + "\n")
    else:
        printer.verdict(verdict)
        if options.faults:
            printer.faults(served.network.fault_counts)
    return ExitCode.SUCCESS if verdict.verdict == "pass" else ExitCode.FAILURE


def _served_center(options: Namespace) -> ServedCenter:
    try:
        from chatfsm.testing.served import ServedCenter  # noqa: PLC0415  # --list-rules needs no aiohttp
    except ImportError as error:
        raise ChatError(str(error)) from None
    if options.script is None:
        scenario = builtin_scenario(options.scenario or _DEFAULT_SCENARIO)
    else:
        scenario = load_scenario(options.script, options.chat_id)
    tenant = build_tenant(scenario, options.tenant)
    center = ContactCenter([tenant], center_settings(options), seed=options.seed)
    return ServedCenter(center, parse_faults(options.faults or ""), seed=options.seed)


def _judge(command: list[str], judge: Judge, served: ServedCenter, options: Namespace) -> Verdict:
    served.network.observer = judge
    with served:
        end = run_client(
            [served.expand(argument) for argument in command],
            served.environment,
            timeout=options.timeout,
            is_silent=options.quiet,
        )
        at = served.server.now()
        verdict = served.server.call_in_loop(lambda: _verdict(judge, at, end))
    found = tuple(_violations_of(end, at, has_chat=judge.has_opened_chat))
    return evolve(verdict, violations=(*verdict.violations, *found))


def _verdict(judge: Judge, at: float, end: ClientExit) -> Verdict:
    if end.status is not None:
        judge.on_left(now=max(at, judge.now))
    return judge.verdict()


def _violations_of(end: ClientExit, at: float, *, has_chat: bool) -> Iterator[Violation]:
    """Yield what the command itself sees."""
    if not has_chat:
        problem = "the client has requested no chat, or not received the reply that names one"
        yield Violation("opens-a-chat", at, "", problem)
    if end.status != 0:
        rule = "client-ends" if end.status is None else "client-succeeds"
        yield Violation(rule, at, "", f"the client {end.reason}")


# Output.


def printer_for(out: TextIO, colour: Literal["auto", "always", "never"]) -> VerdictPrinter:
    """Return the printer for an output, as `style_for` does. Raises `ChatError` as it does."""
    look = style_for(out, colour)
    return VerdictPrinter(out, look.width, look.console(out, look.width))


class VerdictPrinter(TimelinePrinter):
    """Prints verdicts and rules."""

    def verdict(self, verdict: Verdict) -> None:
        """Print the report of a verdict."""
        for line in str(verdict).splitlines():
            text = line.lstrip()
            indent = "    " if text.startswith("- ") else line[: len(line) - len(text)]
            start = [(indent[:-2] + "- ", "dim")] if text.startswith("- ") else [(indent, "")]
            head = text.partition(":")[0]
            style = _STYLES.get(head, "dim" if indent == "  " else "")
            self._text(start, harmless_text(text.removeprefix("- ")), style)

    def faults(self, counts: Mapping[str, int]) -> None:
        """Print how many faults of each kind have hit requests."""
        found = ", ".join(f"{kind} ({counts[kind]})" for kind in sorted(counts))
        self.note(f"faults: {found or 'none has hit a request'}")

    def rules(self) -> None:
        """Print all rules."""
        width = max(map(len, RULES))
        for rule in RULES.values():
            start = [(f"{rule.name:{width}}  ", "bold"), (f"{rule.severity:7}  ", "dim")]
            self._text(start, rule.explanation, "")


_STYLES: Final = {
    "pass": STYLES["good"],
    "fail": STYLES["bad"],
    "error": STYLES["bad"],
    "warning": "yellow",
}
