"""Output of `chatfsm replay`."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from chatfsm._cli import main, terminal
from chatfsm._cli.progress import ProgressBar

Log = Callable[..., Path]
Replays = Callable[..., Any]


def test_json_is_one_line_an_effect(wire: Any, log: Log, replays: Replays) -> None:
    """The exact lines of a small log: chat, seq, time, effect and fields; deadlines included."""
    path = log(
        "small.jsonl",
        wire.status("queued", ewt="40"),
        wire.joins("ann", "Ann", at="1000"),
        wire.types("ann", at=1_001),
        wire.event("navigation", page="x"),
        wire.says("SMALL", "hi", msg_id="1", at=1_040, channel="web", mood="\u202e"),
        wire.ended(),
        wire.says("ann", "late"),
    )
    result = replays("--json", path)
    assert (result.status, result.err) == (0, "")
    head = '{"chat_id": "small", "seq": '
    ann = '{"party_id": "ann", "type": "internal", "display_name": "Ann", '
    assert result.out.splitlines(keepends=True) == [
        head + '0, "at": 1000.0, "effect": "state_changed", "previous": "establishing", '
        '"state": "queued"}\n',
        head + '0, "at": 1000.0, "effect": "wait_estimated", "seconds": 40.0}\n',
        head + f'1, "at": 1000.0, "effect": "party_added", "party": {ann}'
        '"first_name": null, "last_name": null}}\n',
        head + '2, "at": 1001.0, "effect": "typing_started", "party_id": "ann"}\n',
        head + '4, "at": 1031.0, "effect": "typing_stopped", "party_id": "ann", '
        '"reason": "timeout"}\n',
        head + '4, "at": 1040.0, "effect": "message_received", "message": {"msg_id": "1", '
        '"party_id": "SMALL", "own": true, "sender": null, "text": "hi", "html": "hi", '
        '"channel": "web", "attachments": [], "timestamp": 1040.0, '
        '"extra": {"mood": "\\u202e"}}}\n',
        head + '5, "at": 1040.0, "effect": "state_changed", "previous": "queued", '
        '"state": "ended"}\n',
        head + '5, "at": 1040.0, "effect": "terminated", "outcome": "ended", "text": ""}\n',
    ]


def test_json_reports_chats_as_they_happen(wire: Any, log: Log, replays: Replays) -> None:
    """Effects of several chats are in the order of the log, each with the seq of its chat."""
    path = log(
        "two.jsonl",
        *[
            {**wire.status(state, at=1), "chat_id": chat_id}
            for chat_id, state in (("a", "ivr"), ("b", "ivr"), ("a", "queued"), ("b", "queued"))
        ],
    )
    reported = [(each["chat_id"], each["seq"]) for each in replays("--json", path).effects]
    assert reported == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]


def test_every_effect_has_its_line(wire: Any, log: Log, replays: Replays) -> None:
    """One line of ASCII JSON for each counted effect."""
    path = log("a.jsonl", wire.joins("ann", "🐧"), wire.unknown(x="\ud800"), "{\n", wire.ended())
    result = replays("--json", path)
    assert result.out.isascii()
    assert len(result.effects) == replays("--summary", path).session["counts"]["effects"] == 5


def test_an_empty_log_is_clean_in_every_output(log: Log, replays: Replays) -> None:
    """An empty log gives no output and exit code 0."""
    path = log("empty.jsonl")
    for words in (["--json"], ["--quiet"], []):
        result = replays(*words, path)
        assert (result.status, result.out, result.err) == (0, "", "")


def test_timelines_end_with_the_totals(wire: Any, log: Log, replays: Replays) -> None:
    """Several chats are followed by a line with the totals; one chat is not."""
    one = log("a.jsonl", wire.says("ann", "hello"))
    assert "chats" not in replays(one).out
    two = log("b.jsonl", wire.says("ann", "hello"), wire.says("ann", "bye"))
    lines = replays(one, two).lines
    assert [line for line in lines if line[:3] in {"a  ", "b  "}] == [
        "a  not over: establishing at the end of the log, after 0 s",
        "b  not over: establishing at the end of the log, after 0 s",
    ]
    assert lines[-2:] == ["", "2 chats, 3 messages"]


def test_a_pipe_gets_no_escape_codes(wire: Any, log: Log, replays: Replays) -> None:
    """The output in a pipe is plain text, whatever the log holds."""
    path = log("a.jsonl", wire.joins("ann", "\x1b[31mAnn"), wire.says("ann", "\x1b[2Jhello"))
    result = replays(path)
    assert (result.status, result.err) == (0, "")
    assert {c for c in result.out if not c.isprintable()} == {"\n"}


def test_color_always_colours_a_pipe(wire: Any, log: Log, replays: Replays) -> None:
    """`--color always` is for pipes to a pager."""
    assert "\x1b[" in replays("--color", "always", log("a.jsonl", wire.ended())).out


def test_a_terminal_gets_colours_unless_never(
    wire: Any, log: Log, monkeypatch: pytest.MonkeyPatch, replays: Replays
) -> None:
    """`--color auto` depends on whether standard output is a terminal."""
    path = log("a.jsonl", wire.ended())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "\x1b[" in replays(path).out
    assert "\x1b[" not in replays("--color=never", path).out


def test_color_always_without_rich_names_the_extra(
    wire: Any, log: Log, monkeypatch: pytest.MonkeyPatch, replays: Replays
) -> None:
    """The error names the extra, and nothing is printed."""
    monkeypatch.setattr(terminal, "find_spec", lambda name: None)
    result = replays("--color", "always", log("a.jsonl", wire.ended()))
    assert (result.status, result.out) == (2, "")
    assert result.err == "chatfsm: colours need rich: pip install 'chatfsm[cli]'\n"
    assert replays(log("a.jsonl", wire.ended())).status == 0


def test_characters_outside_the_encoding_are_escaped(
    wire: Any, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Characters outside the encoding of the output are escaped."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["replay", str(log("a.jsonl", wire.says("ann", "你好 →")))]) == 0
    assert b"\\u4f60\\u597d \\u2192" in raw.getvalue()


def test_rows_limits_a_timeline(wire: Any, log: Log, replays: Replays) -> None:
    """The first and the last half are shown, with the number of omitted rows; 0 shows all."""
    path = log("a.jsonl", *[wire.says("ann", x * 3) for x in "abcdefghij"])
    result = replays("--rows=4", path)
    rows = [line.split()[-1] for line in result.lines[result.lines.index("") + 1 :]]
    assert rows == ["aaa", "bbb", "out", "iii", "jjj"]
    assert "6 rows left out" in result.out
    result = replays("--rows", "0", path)
    assert re.findall(r"message +ann +(\w)", result.out) == list("abcdefghij")
    assert "left out" not in result.out


def test_a_thousand_rows_are_shown_by_default(wire: Any, log: Log, replays: Replays) -> None:
    """A longer chat is cut; its counts are complete."""
    result = replays(log("a.jsonl", *[wire.says("ann", "x")] * 1_001))
    assert "1 rows left out" in result.out
    assert result.out.count("message  ann") == 1_000
    assert "1001 from 1001 events" in result.out


def test_quiet_prints_nothing(wire: Any, log: Log, replays: Replays) -> None:
    """`--quiet` prints nothing; the exit code has the result."""
    path = log("a.jsonl", wire.unknown(), wire.ended())
    quiet = replays("--quiet", path)
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")
    found = replays("--quiet", "--fail-on", "unknown", path)
    assert (found.status, found.out, found.err) == (1, "", "")


def test_quiet_still_reports_errors(tmp_path: Path, replays: Replays) -> None:
    """`--quiet` does not suppress errors."""
    result = replays("--quiet", tmp_path / "missing.jsonl")
    assert (result.status, result.out) == (2, "")
    assert "missing.jsonl" in result.err


def test_chat_id_names_unnamed_events(wire: Any, log: Log, replays: Replays) -> None:
    """Unnamed events of all files become one chat, whose own events are recognized."""
    first = log("a.jsonl", wire.status("queued", at=1), wire.says("CHAT-7", "hi", at=2))
    second = log("b.jsonl", {**wire.ended(at=3), "chat_id": ""})
    result = replays("--summary", "--chat-id", "chat-7", first, second)
    assert (result.session["chat_id"], result.session["outcome"]) == ("chat-7", "ended")
    (message,) = [
        each["message"]
        for each in replays("--json", "--chat-id=chat-7", first).effects
        if each["effect"] == "message_received"
    ]
    assert message["own"] is True


def test_a_chat_over_two_files_is_one(wire: Any, log: Log, replays: Replays) -> None:
    """A log that was split by rotation is read as one."""
    first = log("a.jsonl", {**wire.status("queued", at=1), "chat_id": "x"})
    second = log("b.jsonl.gz", {**wire.ended(at=5), "chat_id": "x"}, packed=True)
    result = replays("--summary", first, second)
    assert (result.session["outcome"], result.session["counts"]["events"]) == ("ended", 2)


def test_the_same_name_in_two_folders_is_two_chats(wire: Any, log: Log, replays: Replays) -> None:
    """Two files of the same name are two chats with the same chat_id."""
    result = replays(
        "--summary",
        log("here/chat.jsonl", wire.status("queued")),
        log("there/chat.jsonl", wire.ended()),
    )
    assert [(each["chat_id"], each["state"]) for each in result.sessions] == [
        ("chat", "queued"),
        ("chat", "ended"),
    ]


def test_close_after_reports_a_silent_chat(wire: Any, log: Log, replays: Replays) -> None:
    """A chat that continues after the silence is reported again, with seq from 0."""
    path = log(
        "a.jsonl",
        *[
            wire.says("ann", "x", at=at, chat_id=chat)
            for at, chat in ((0, "x"), (9, "y"), (99, "x"))
        ],
    )
    assert len(replays("--summary", path).sessions) == 2
    result = replays("--summary", "--close-after", "30", path)
    assert [each["chat_id"] for each in result.sessions] == ["x", "y", "x"]
    reported = replays("--json", "--close-after=30.5", path).effects
    assert [(each["chat_id"], each["seq"]) for each in reported] == [("x", 0), ("y", 0), ("x", 0)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_a_log(
    wire: Any,
    stdin: Callable[[bytes], object],
    replays: Replays,
    pack: Callable[[bytes], bytes],
) -> None:
    """`-` reads standard input, compressed or not; its unnamed chat is "stdin"."""
    stdin(pack(json.dumps(wire.ended()).encode()))
    session = replays("--summary", "-").session
    assert (session["chat_id"], session["outcome"]) == ("stdin", "ended")


def test_a_missing_file_does_not_hide_the_others(
    wire: Any, log: Log, tmp_path: Path, replays: Replays
) -> None:
    """Readable files are reported, each unreadable one is named, and the exit code is 2."""
    result = replays(
        "--summary",
        log("a.jsonl", wire.ended()),
        tmp_path / "missing.jsonl",
        log("b.jsonl", wire.ended()),
    )
    assert result.status == 2
    assert [each["chat_id"] for each in result.sessions] == ["a", "b"]
    assert result.err.splitlines() == [
        f"chatfsm: {tmp_path / 'missing.jsonl'}: cannot be read: No such file or directory",
    ]
    assert result.totals["complete"] is False


@pytest.mark.parametrize(
    "data", [b"\x7fELF\x00\xff\n\x00", b"%PDF-1.7\n\xff", b'{"chat": "available"}', b'{\n"a": 1\n}']
)
@pytest.mark.parametrize("output", [[], ["--json"], ["--quiet"]])
def test_other_content_is_reported_in_a_line(
    log: Log, replays: Replays, data: bytes, output: list[str]
) -> None:
    """Other content gives exit code 2, one line on standard error and no output."""
    result = replays(*output, log("a.bin", data))
    assert (result.status, result.out) == (2, "")
    assert re.fullmatch(r"chatfsm: \S*a\.bin: .+\n", result.err)


@pytest.mark.parametrize("output", [[], ["--json"], ["--summary"]])
def test_events_before_an_error_are_reported(
    wire: Any, log: Log, replays: Replays, output: list[str]
) -> None:
    """A truncated gzip file gives exit code 2, and its readable part is reported."""
    data = b"".join(json.dumps(wire.says("ann", f"word{n}")).encode() + b"\n" for n in range(3))
    result = replays(*output, log("cut.jsonl.gz", gzip.compress(data)[:-8]))
    assert result.status == 2
    assert re.fullmatch(
        r"chatfsm: \S*cut\.jsonl\.gz: cannot be read after line 3: .+\n", result.err
    )
    if output == ["--summary"]:
        assert (result.session["messages"], result.totals["complete"]) == (3, False)
    else:
        assert all(f"word{n}" in result.out for n in range(3))


def test_a_log_cut_at_both_ends_is_reported(wire: Any, log: Log, replays: Replays) -> None:
    """A malformed first line does not hide the rest of the readable part."""
    lines = b'"cut": 1}\n' + json.dumps(wire.says("ann", "hello")).encode() + b"\n"
    result = replays("--summary", log("cut.jsonl.gz", gzip.compress(lines)[:-8]))
    assert result.status == 2
    assert "cannot be read after line 2" in result.err
    assert (result.session["messages"], result.session["counts"]["malformed"]) == (1, 1)


def test_the_command_may_print_into_a_text(wire: Any, log: Log) -> None:
    """The output can be redirected to a text stream."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["replay", "--json", str(log("a.jsonl", wire.status("queued")))]) == 0
    assert json.loads(out.getvalue())["effect"] == "state_changed"


def test_the_progress_bar_is_updated_for_each_block(
    wire: Any, log: Log, monkeypatch: pytest.MonkeyPatch, replays: Replays
) -> None:
    """The progress bar is updated for each file and for each block."""
    updates: list[tuple[str, int]] = []

    def show(self: object, source: Any, events: int) -> None:
        updates.append((source.stem, events))

    monkeypatch.setattr(ProgressBar, "show", show)
    long = log("long.jsonl", *[wire.says("ann", "x")] * 2_500)
    assert replays("--quiet", long, log("short.jsonl", wire.ended())).status == 0
    assert [stem for stem, _ in updates] == ["long"] * (len(updates) - 1) + ["short"]
    assert updates[0] == ("long", 0)
    assert updates[-1] == ("short", 0)
    apart = [later - earlier for (_, earlier), (_, later) in pairwise(updates[:-1])]
    assert 0 < len(apart) < 10
    assert all(0 < number <= 2_000 for number in apart)
