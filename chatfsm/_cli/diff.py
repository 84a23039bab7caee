"""Command `chatfsm diff`: two logs, versions or settings side by side."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any, Final

from attrs import fields_dict

from chatfsm._cli import ExitCode
from chatfsm._cli.terminal_text import harmless_text
from chatfsm._plain import json_text
from chatfsm.errors import ChatError
from chatfsm.replay.compare import (
    Comparison,
    EffectFile,
    ReplayedLogs,
    ReportedEffect,
    Side,
    compare,
    is_effect_file,
)
from chatfsm.replay.metric_totals import MetricsReport
from chatfsm.replay.metrics import measure_logs
from chatfsm.settings import Settings

__all__ = ["run"]

_SHARES: Final = {"abandonment_rate", "service_level"}
# An effect longer than this is cut on a terminal; --json has it whole.
_MAX_TEXT: Final = 400


def run(options: Namespace) -> int:
    """Compare as the command line says; return the exit code."""
    if options.metrics:
        return _compare_metrics(options)
    result = compare(_side(options.a, options.set_a), _side(options.b, options.set_b))
    sys.stdout.write(_json(result) if options.json else _text(result, options))
    return ExitCode.SUCCESS if result.is_equal else ExitCode.FAILURE


def _side(name: str, assignments: list[str]) -> Side:
    if name == "-":
        raise ChatError("each side is read twice: name a file in place of standard input")
    if not is_effect_file(name):
        return ReplayedLogs((name,), _settings(assignments))
    if assignments:
        raise ChatError(f"{name} holds effects, which no setting changes")
    return EffectFile(name)


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
    a = _totals(options.a, options.set_a, options.threshold)
    b = _totals(options.b, options.set_b, options.threshold)
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


def _totals(name: str, assignments: list[str], threshold: float) -> dict[str, Any]:
    report = MetricsReport(threshold)
    for chat in measure_logs([name], settings=_settings(assignments)):
        report.add(chat)
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
