"""Comparison of two replays: logs, settings and printed effects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatfsm.errors import UnreadableLogError
from chatfsm.replay.compare import (
    EffectFile,
    ReplayedLogs,
    ReportedEffect,
    compare,
    is_effect_file,
)
from chatfsm.settings import Settings

LOGS = Path(__file__).resolve().parents[1] / "logs"
STUCK = str(LOGS / "stuck_typing.jsonl")
TWO = str(LOGS / "two_chats.jsonl")


def printed(path: Path, log: str, settings: Settings | None = None) -> str:
    """Write the effects of a log to a file, as `chatfsm replay --json` prints them."""
    lines: list[str] = []

    def keep(chat_id: str, effect: ReportedEffect) -> None:
        lines.append(json.dumps({"chat_id": chat_id, **effect.to_json()}))

    ReplayedLogs((log,), settings or Settings()).read(keep)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_a_log_equals_itself() -> None:
    """A log equals itself."""
    result = compare(ReplayedLogs((TWO,)), ReplayedLogs((TWO,)))
    assert result.to_json() == {"same": 2, "different": [], "only_a": [], "only_b": []}
    assert result.is_equal


def test_two_settings_of_one_log() -> None:
    """With a longer timeout the third typing indicator continues."""
    longer_timeout = Settings(typing_timeout=100.0)
    result = compare(ReplayedLogs((STUCK,)), ReplayedLogs((STUCK,), longer_timeout))
    (difference,) = result.different
    assert difference.a is not None
    assert difference.b is not None
    assert (difference.a.at - 1744272000, json.loads(difference.a.text)["reason"]) == (
        90,
        "timeout",
    )
    assert (difference.b.at - 1744272000, json.loads(difference.b.text)["effect"]) == (
        155,
        "message_received",
    )
    assert not result.is_equal


def test_a_chat_that_is_longer_on_one_side(tmp_path: Path) -> None:
    """The shorter side has no further effect, and the difference says which side it is."""
    lines = (LOGS / "late.jsonl").read_bytes().splitlines(keepends=True)
    short = tmp_path / "late.jsonl"
    short.write_bytes(b"".join(lines[:4]))
    whole, cut = ReplayedLogs((str(LOGS / "late.jsonl"),)), ReplayedLogs((str(short),))
    (longer,) = compare(whole, cut).different
    (shorter,) = compare(cut, whole).different
    assert (longer.b, shorter.a) == (None, None)
    assert longer.a == shorter.b
    assert longer.a is not None
    assert longer.index == shorter.index
    assert longer.to_json()["b"] is None


def test_chats_of_one_side_alone(tmp_path: Path) -> None:
    """Chats of one side are named, and the others are compared."""
    first = json.loads(Path(TWO).read_bytes().splitlines()[0])["chat_id"]
    some = tmp_path / "some.jsonl"
    some.write_bytes(
        b"".join(
            line
            for line in Path(TWO).read_bytes().splitlines(keepends=True)
            if json.loads(line)["chat_id"] == first
        )
        + b'{"chat_id": "other", "event": "chat_session_ended"}\n'
    )
    result = compare(ReplayedLogs((TWO,)), ReplayedLogs((str(some),)))
    assert (result.same, len(result.only_a), result.only_b) == (1, 1, ["other"])


def test_the_only_chats_of_both_sides_are_compared(tmp_path: Path) -> None:
    """The only chats of two logs are compared even if their ids differ."""
    other = tmp_path / "another_name.jsonl"
    other.write_bytes(Path(STUCK).read_bytes())
    assert compare(ReplayedLogs((STUCK,)), ReplayedLogs((str(other),))).is_equal
    longer_timeout = ReplayedLogs((str(other),), Settings(typing_timeout=100.0))
    (difference,) = compare(ReplayedLogs((STUCK,)), longer_timeout).different
    assert difference.b is not None


def test_printed_effects_replace_their_log(tmp_path: Path) -> None:
    """Printed effects replace their log, so that two versions can be compared."""
    name = printed(tmp_path / "effects.jsonl", TWO)
    assert is_effect_file(name)
    assert compare(EffectFile(name), ReplayedLogs((TWO,))).is_equal
    assert not compare(
        EffectFile(printed(tmp_path / "stuck.jsonl", STUCK)),
        EffectFile(
            printed(tmp_path / "longer_timeout.jsonl", STUCK, Settings(typing_timeout=100.0))
        ),
    ).is_equal


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "{",
        '{"chat_id": 5, "seq": 0, "at": 0, "effect": "terminated"}',
        '{"chat_id": "C", "seq": 0, "at": 0}',
        '{"chat_id": "C", "seq": [], "at": 0, "effect": "terminated"}',
        '{"chat_id": "C", "seq": 0, "at": "x", "effect": "terminated"}',
    ],
)
def test_a_line_that_is_not_an_effect_is_named(tmp_path: Path, line: str) -> None:
    """The error names file and line."""
    path = tmp_path / "effects.jsonl"
    path.write_text(f"\n{line}\n", encoding="utf-8")
    assert not is_effect_file(str(path))
    with pytest.raises(UnreadableLogError, match=r"effects.jsonl: line 2: not an effect"):
        EffectFile(str(path)).read(lambda _chat_id, _effect: None)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is not an effect file and cannot be read as one."""
    missing = str(tmp_path / "missing")
    assert not is_effect_file(missing)
    with pytest.raises(UnreadableLogError, match="missing: No such file"):
        EffectFile(missing).read(lambda _chat_id, _effect: None)
