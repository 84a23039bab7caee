"""Command `chatfsm diff`: two logs, versions or settings side by side."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from array import array
from collections.abc import Callable
from typing import Any, Final

from attrs import define, fields_dict, frozen

from chatfsm._cli import ExitCode, parallel
from chatfsm._cli.metrics import ChatDocuments, MetricsReporter
from chatfsm._cli.progress import ProgressBar
from chatfsm._cli.replay import ReplayReporter
from chatfsm._cli.replay_outputs import NoOutput, Output, Printer
from chatfsm._cli.terminal_text import harmless_text
from chatfsm._plain import json_text
from chatfsm.errors import ChatError
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.compare import (
    Comparison,
    EffectFile,
    OnEffect,
    ReportedEffect,
    Side,
    compare,
    is_effect_file,
    reported,
    text_hash,
)
from chatfsm.replay.metric_totals import MetricsReport
from chatfsm.replay.stream_replay import ReplayedChat
from chatfsm.settings import Settings

__all__ = ["EffectHashes", "EffectTexts", "run"]

_SHARES: Final = {"abandonment_rate", "service_level"}
# An effect longer than this is cut on a terminal; --json has it whole.
_MAX_TEXT: Final = 400


def run(options: Namespace) -> int:
    """Compare as the command line says; return the exit code."""
    if options.metrics:
        return _compare_metrics(options)
    result = compare(_side(options, "a"), _side(options, "b"))
    sys.stdout.write(_json(result) if options.json else _text(result, options))
    return ExitCode.SUCCESS if result.is_equal else ExitCode.FAILURE


def _side(options: Namespace, letter: str) -> Side:
    name: str = getattr(options, letter)
    if name == "-":
        raise ChatError("each side is read twice: name a file in place of standard input")
    if not is_effect_file(name):
        return LogSide(_reading(options, letter))
    if getattr(options, f"set_{letter}"):
        raise ChatError(f"{name} holds effects, which no setting changes")
    return EffectFile(name)


def _reading(options: Namespace, letter: str) -> Namespace:
    """The options for reading one side."""
    settings = _settings(getattr(options, f"set_{letter}"))
    return Namespace(**{**vars(options), "files": [getattr(options, letter)], "settings": settings})


# Logs, read in one process or more.


@define
class RaisingReporter(ReplayReporter):
    """Collects the result of reading one side; an error ends it."""

    def report_error(self, error: object, status: int) -> None:
        """Raise the error."""
        if status == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        raise ChatError(str(error))

    def report_note(self, note: str) -> None:
        """Ignore what was left out of a file."""

    def finish(self, options: Namespace, verified: int) -> int:  # noqa: ARG002  # no journals here
        """Return the exit code."""
        self.progress.hide()
        return self.status


class LinePrinter(Printer):
    """Passes each line to a callback instead of printing it."""

    def __init__(self, output: Output, on_line: Callable[[str], object]) -> None:
        super().__init__(sys.stdout, output)
        self._on_line = on_line

    def write(self, text: str) -> None:
        """Take some lines."""
        for line in text.splitlines():
            self._on_line(line)


class EffectTexts(NoOutput):
    """Output of all effects for `Side.read`: a line each, in JSON."""

    wants_steps = True

    def step_text(self, chat: ReplayedChat, step: ReplayStep) -> str:
        """The effects of the step."""
        chat_id = chat.session.chat_id
        rows = ([chat_id, effect.seq, effect.at, effect.text] for effect in reported(step))
        return "".join([json.dumps(row) + "\n" for row in rows])


class EffectHashes(NoOutput):
    """Output of the hashes for `Side.hashes`: a line for the effects of each step."""

    wants_steps = True

    def step_text(self, chat: ReplayedChat, step: ReplayStep) -> str:
        """The hashes, and the chat's id."""
        hashes = [f"{text_hash(effect.text)} " for effect in reported(step)]
        return f"{''.join(hashes)}{json.dumps(chat.session.chat_id)}\n" if hashes else ""


@frozen
class LogSide(Side):
    """Logs, replayed with some settings, in as many processes as the options say."""

    options: Namespace

    def read(self, on_effect: OnEffect, /) -> None:
        """Replay all chats. Raises `ChatError` if a file cannot be read."""

        def take(line: str) -> None:
            chat_id, *effect = json.loads(line)
            on_effect(chat_id, ReportedEffect(*effect))

        self._run(EffectTexts(), take)

    def hashes(self) -> dict[str, array[int]]:
        """The hash of each effect, chat by chat; workers compute them."""
        found: dict[str, array[int]] = {}  # by the id as JSON

        def take(line: str) -> None:
            place = line.index('"')
            hashes = found.setdefault(line[place:], array("q"))
            hashes.extend(map(int, line[:place].split()))

        self._run(EffectHashes(), take)
        return {json.loads(chat_id): hashes for chat_id, hashes in found.items()}

    def effects_at(self, indices: dict[str, int]) -> dict[str, ReportedEffect]:
        """The effect of each chat at its index; only these chats are replayed."""
        side = LogSide(Namespace(**{**vars(self.options), "chat": [*indices]}))
        return super(LogSide, side).effects_at(indices)

    def _run(self, output: Output, on_line: Callable[[str], object]) -> None:
        printer, progress = LinePrinter(output, on_line), ProgressBar(wanted=True)
        parallel.run(self.options, lambda _: RaisingReporter(output, printer, progress))


def _settings(assignments: list[str]) -> Settings:
    """The settings of NAME=VALUE texts. Raises `ChatError` if a name or a value is wrong."""
    values: dict[str, Any] = {}
    known = fields_dict(Settings)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in known:
            raise ChatError(f"a setting is NAME=VALUE, with a NAME of {', '.join(known)}")
        values[name] = _value(name, known[name].default, text)
    try:
        return Settings(**values)
    except (TypeError, ValueError) as error:
        raise ChatError(f"settings: {error}") from error


def _value(name: str, default: object, text: str) -> object:
    """The value of a text, of the type of the default. Raises `ChatError` if it is none."""
    if isinstance(default, bool):
        if text not in {"true", "false"}:
            raise ChatError(f"settings: {name} must be true or false, not {text!r}")
        return text == "true"
    if isinstance(default, str):
        return text
    try:
        return int(text) if isinstance(default, int) else float(text)
    except ValueError:
        raise ChatError(f"settings: {name} must be a number, not {text!r}") from None


def _json(result: Comparison) -> str:
    return json_text(result.to_json()) + "\n"


def _text(result: Comparison, options: Namespace) -> str:
    lines: list[str] = []
    for difference in result.different:
        chat_id = harmless_text(difference.chat_id)
        lines += [
            f"{chat_id}: different after {difference.index} equal effects",
            f"  A  {_effect_text(difference.a)}",
            f"  B  {_effect_text(difference.b)}",
        ]
    for side, chats in (("A", result.only_a), ("B", result.only_b)):
        lines += [f"{harmless_text(chat_id)}: only in {side}" for chat_id in chats]
    only = f"{len(result.only_a)} are only in A, {len(result.only_b)} only in B"
    lines += [
        f"{result.same} chats are the same, {len(result.different)} differ, {only}",
        f"A: {harmless_text(options.a)}  B: {harmless_text(options.b)}",
    ]
    return "\n".join(lines) + "\n"


def _effect_text(effect: ReportedEffect | None) -> str:
    if effect is None:
        return "no further effect"
    text = harmless_text(effect.text)
    cut = text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
    return f"event {effect.seq}, at {effect.at:.1f}: {cut}"


# Metrics of two periods.


def _compare_metrics(options: Namespace) -> int:
    """Print the totals of both sides, with the change from A to B."""
    a, b = _totals(options, "a"), _totals(options, "b")
    if options.json:
        changes = {name: _change(a[name], b[name]) for name in a}
        sys.stdout.write(json_text({"a": a, "b": b, "change": changes}) + "\n")
        return ExitCode.SUCCESS
    rows = [("", "A", "B", "change", "")]
    for name in a:
        change = _change(a[name], b[name])
        percent = "" if not a[name] or change is None else f"{change / a[name]:+.1%}"
        rows.append(
            (name, _number(name, a[name]), _number(name, b[name]), _signed(name, change), percent)
        )
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for first, *rest in rows:
        cells = (f"{text:>{width}}" for text, width in zip(rest, widths[1:], strict=True))
        sys.stdout.write("  ".join((f"{first:<{widths[0]}}", *cells)).rstrip() + "\n")
    return ExitCode.SUCCESS


@define
class _TotalsReporter(RaisingReporter, MetricsReporter):
    """Collects the metrics of one side."""


def _totals(options: Namespace, letter: str) -> dict[str, Any]:
    reading = _reading(options, letter)
    reading.prefers_received = True
    output, report = ChatDocuments(), MetricsReport(options.threshold)
    printer, progress = Printer(sys.stdout, output), ProgressBar(wanted=True)
    parallel.run(reading, lambda _: _TotalsReporter(output, printer, progress, report=report))
    return report.totals()


def _change(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else b - a


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name in _SHARES:
        return f"{value:.1%}"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _signed(name: str, change: float | None) -> str:
    if change is None:
        return "-"
    if name in _SHARES:
        return f"{100 * change:+.1f} points"
    return f"{change:+.1f}" if isinstance(change, float) else f"{change:+d}"
