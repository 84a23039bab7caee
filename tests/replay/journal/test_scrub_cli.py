"""`chatfsm scrub IN OUT`: its output and its errors."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatfsm import ChatSession, Sent, Settings, Tick, commands

File = Callable[..., Path]
Runs = Callable[..., Any]
KEY = "CHATFSM_SCRUB_KEY"
SECRET = "a secret of ours"
HELLO = {"event": "chat_session_message", "party_id": "ann", "msg": "MARK", "msg_id": "2"}


def children(path: Path) -> set[str]:
    """The names of the files in a directory."""
    return {child.name for child in path.iterdir()}


def test_out_is_written(file: File, runs: Runs, tmp_path: Path) -> None:
    """One line of ASCII JSON for each event; the number of lines is on standard error."""
    path, out = file("in.jsonl", HELLO, "\n", HELLO), tmp_path / "out.jsonl"
    result = runs("scrub", path, out)
    assert (result.status, result.out, result.err) == (0, "", "chatfsm: 2 lines scrubbed\n")
    one, other = out.read_text(encoding="ascii").splitlines()
    assert one == other
    item = json.loads(one)
    assert item["event"] == HELLO["event"]
    assert "MARK" not in one
    assert children(tmp_path) == {"in.jsonl", "out.jsonl"}


def test_an_existing_out_is_kept(file: File, runs: Runs, tmp_path: Path) -> None:
    """An existing OUT is not overwritten: exit code 2, and the error names --force."""
    path, out = file("in.jsonl", HELLO), file("out.jsonl", "mine")
    result = runs("scrub", path, out)
    assert (result.status, result.out) == (2, "")
    assert result.err == f"chatfsm: {out}: the file exists already; --force overwrites it\n"
    assert out.read_text(encoding="ascii") == "mine"
    assert children(tmp_path) == {"in.jsonl", "out.jsonl"}


def test_force_writes_over_it(file: File, runs: Runs) -> None:
    """`--force` overwrites OUT, even the log itself, which is read to its end first."""
    path, out = file("in.jsonl", HELLO, HELLO), file("out.jsonl", "mine")
    assert runs("scrub", "--force", path, out).status == 0
    assert len(out.read_text(encoding="ascii").splitlines()) == 2
    assert runs("scrub", "--force", path, path).status == 0
    assert len(path.read_text(encoding="ascii").splitlines()) == 2
    assert "MARK" not in path.read_text(encoding="ascii")


def test_a_failed_run_with_force_keeps_the_file(file: File, runs: Runs, tmp_path: Path) -> None:
    """A failed run leaves an existing OUT unchanged."""
    packed = gzip.compress(json.dumps(HELLO).encode() * 1_000, mtime=0)
    path, out = file("in.gz", packed[:-20]), file("out.jsonl", "mine")
    assert runs("scrub", "--force", path, out).status == 2
    assert out.read_text(encoding="ascii") == "mine"
    assert children(tmp_path) == {"in.gz", "out.jsonl"}


@pytest.mark.parametrize("name", ["none.jsonl", "cut.gz", "noise.txt", "odd.json"])
def test_in_that_cannot_be_read_leaves_nothing(
    file: File, runs: Runs, tmp_path: Path, name: str
) -> None:
    """A missing file, a truncated file or another format: exit code 2, a reason, and no file."""
    lines = "".join(json.dumps({**HELLO, "msg_id": str(n)}) + "\n" for n in range(5_000))
    contents = {
        "cut.gz": gzip.compress(lines.encode(), mtime=0)[:-100],
        "noise.txt": "hello\n",
        "odd.json": '{"weather":\n"fine"}',
    }
    if name in contents:
        file(name, contents[name])
    before = children(tmp_path)
    result = runs("scrub", tmp_path / name, tmp_path / "out.jsonl")
    assert (result.status, result.out) == (2, "")
    assert name in result.err
    assert children(tmp_path) == before


def test_an_empty_file_gives_an_empty_file(file: File, runs: Runs, tmp_path: Path) -> None:
    """An empty log gives an empty file."""
    result = runs("scrub", file("in.jsonl", ""), tmp_path / "out.jsonl")
    assert (result.status, result.err) == (0, "chatfsm: 0 lines scrubbed\n")
    assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_an_existing_part_file_is_kept(file: File, runs: Runs, tmp_path: Path) -> None:
    """A file named OUT.part that existed before is not removed."""
    other = file("out.jsonl.part", "mine")
    assert runs("scrub", file("in.jsonl", HELLO), tmp_path / "out.jsonl").status in {0, 2}
    assert other.read_text(encoding="ascii") == "mine"


def test_dashes_are_standard_input_and_output(file: File, runs: Runs, stdin: Any) -> None:
    """Standard output has the log only; events without a chat_id belong to the chat "stdin"."""
    stdin((json.dumps(HELLO) + "\n").encode())
    result = runs("scrub", "-", "-")
    assert (result.status, result.err) == (0, "")
    (item,) = result.items
    assert item["event"] == HELLO["event"]
    assert "MARK" not in result.out
    assert "stdin" not in result.out


def test_one_dash_is_enough(file: File, runs: Runs, stdin: Any, tmp_path: Path) -> None:
    """Either of IN and OUT may be a dash."""
    result = runs("scrub", file("in.jsonl", HELLO), "-")
    assert (result.status, len(result.items), result.err) == (0, 1, "")
    stdin((json.dumps(HELLO) + "\n").encode())
    assert runs("scrub", "-", tmp_path / "out.jsonl").status == 0
    assert len((tmp_path / "out.jsonl").read_text(encoding="ascii").splitlines()) == 1


def test_a_key_makes_runs_alike(file: File, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Output with one key is identical, byte for byte; the key is not in the output."""
    path = file("in.jsonl", HELLO)
    monkeypatch.setenv(KEY, SECRET)
    one, same = runs("scrub", path, "-"), runs("scrub", path, "-")
    monkeypatch.setenv(KEY, "another")
    other = runs("scrub", path, "-")
    assert one.out == same.out != other.out
    assert SECRET not in one.out + one.err + other.out


def test_the_key_is_in_no_file_and_no_message(
    file: File, runs: Runs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The key is not printed, whether the run succeeds or fails."""
    monkeypatch.setenv(KEY, SECRET)
    path, out = file("in.jsonl", HELLO), tmp_path / "out.jsonl"
    first, second = runs("scrub", path, out), runs("scrub", path, out)
    third = runs("scrub", tmp_path / "none", tmp_path / "other")
    assert (first.status, second.status, third.status) == (0, 2, 2)
    for result in (first, second, third):
        assert SECRET not in result.out + result.err
    assert SECRET not in out.read_text(encoding="ascii")


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_no_two_runs_are_alike(
    file: File, runs: Runs, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    """A random key is used for one run; an empty key counts as none."""
    path = file("in.jsonl", HELLO)
    if key is not None:
        monkeypatch.setenv(KEY, key)
    one, other = runs("scrub", path, "-"), runs("scrub", path, "-")
    assert one.status == other.status == 0
    assert one.out != other.out


def test_a_key_of_any_bytes_is_a_key(
    file: File, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key may hold bytes that are not UTF-8."""
    monkeypatch.setenv(KEY, "\udcff\udc80 bytes")
    path = file("in.jsonl", HELLO)
    one, same = runs("scrub", path, "-"), runs("scrub", path, "-")
    assert (one.status, one.err) == (0, "")
    assert one.out == same.out


def test_chat_id_applies_to_events_without_one(
    file: File, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--chat-id` names the chat of events without one, as in replay."""
    monkeypatch.setenv(KEY, SECRET)
    path = file("in.jsonl", {**HELLO, "party_id": "ANN"}, {**HELLO, "chat_id": "other"})
    first, second = runs("scrub", "--chat-id", "ann", path, "-").items
    assert first["chat_id"].upper() == first["party_id"]
    assert second["chat_id"] != first["chat_id"]
    unnamed, same = runs("scrub", path, "-").items
    assert unnamed["chat_id"] != first["chat_id"]
    assert same == second
    assert runs("scrub", "--chat-id", "", path, "-").status == 2


def test_the_file_name_is_scrubbed(file: File, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events without a chat_id belong to a chat named after the file, under a pseudonym."""
    monkeypatch.setenv(KEY, SECRET)
    path = file("mark_twain.jsonl", HELLO)
    (item,) = runs("scrub", path, "-").items
    (named,) = runs("scrub", path, "-", "--chat-id", "mark_twain").items
    assert item == named
    assert "twain" not in json.dumps(item)


def test_packed_logs_are_read(
    file: File, runs: Runs, stdin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gzip is detected by content, in a file and on standard input."""
    monkeypatch.setenv(KEY, SECRET)
    plain = runs("scrub", file("in.jsonl", HELLO, HELLO), "-").out
    packed = file("in.jsonl.gz", HELLO, HELLO, packed=True)
    assert runs("scrub", packed, "-").out == plain != ""
    stdin(packed.read_bytes())
    assert runs("scrub", "--chat-id", "in", "-", "-").out == plain


def test_a_journal_with_a_snapshot_is_refused(
    new_recorder: Any, file: File, runs: Runs, tmp_path: Path
) -> None:
    """The error holds reason and line; no output is left, not even of earlier chats."""
    recorder = new_recorder()
    recorder.receives_event("status", state="queued")
    recorder.restarts(at=5.0).receives(Tick())
    path, out = file("in.jsonl", recorder.text), tmp_path / "out.jsonl"
    result = runs("scrub", path, out)
    assert result.status == 2
    assert result.err.startswith(f"chatfsm: {path}: line 3: the journal begins with a snapshot")
    assert children(tmp_path) == {"in.jsonl"}


def test_a_journal_without_its_header_is_refused(
    recorder: Any, file: File, runs: Runs, tmp_path: Path
) -> None:
    """The settings of the session are unknown."""
    recorder.receives(Tick())
    path = file("in.jsonl", recorder.lines[1])
    result = runs("scrub", path, tmp_path / "out.jsonl")
    assert result.status == 2
    assert result.err == f"chatfsm: {path}: line 1: the journal of this chat has no header\n"
    assert children(tmp_path) == {"in.jsonl"}


def test_a_scrubbed_journal_verifies(recorder: Any, file: File, runs: Runs, tmp_path: Path) -> None:
    """`replay --verify` accepts a scrubbed journal."""
    out = tmp_path / "out.jsonl"
    result = runs("scrub", file("in.jsonl", recorder.receives_everything().text), out)
    assert (result.status, result.out) == (0, "")
    assert result.err == "chatfsm: 39 lines scrubbed\n"
    result = runs("replay", "--verify", "--quiet", out)
    assert (result.status, result.err) == (0, "chatfsm: 38 entries agree\n")


@pytest.mark.parametrize("form", ["n", "chat_id:n"])
def test_a_token_gets_a_pseudonym(
    new_recorder: Any, form: Any, file: File, runs: Runs, tmp_path: Path
) -> None:
    """A token may identify a device; the ids that begin with it still verify."""
    session = ChatSession("chat-1", settings=Settings(msg_id_format=form), token="anns-phone")
    recorder = new_recorder(session=session)
    recorder.receives(commands.SendText("hello"), at=1.0)
    outbox = recorder.recorded.outbox
    recorder.receives(Sent([*outbox]), at=2.0)
    (msg_id,) = outbox
    recorder.receives_event("message_read", ref_msg_id=msg_id, party_id="ann", at=3.0)
    assert recorder.recorded.outbox == {msg_id: "read"}
    out = tmp_path / "out.jsonl"
    runs("scrub", file("in.jsonl", recorder.text), out)
    assert "anns-phone" not in out.read_text()
    result = runs("replay", "--verify", "--quiet", out)
    assert (result.status, result.err) == (0, "chatfsm: 3 entries agree\n")


def test_out_that_cannot_be_written_is_reported(file: File, tmp_path: Path) -> None:
    """A missing directory, or a directory as OUT: exit code 2 and no traceback."""
    path = file("in.jsonl", HELLO)
    (tmp_path / "folder").mkdir()
    for words in ([tmp_path / "none" / "out.jsonl"], ["--force", tmp_path / "folder"]):
        result = subprocess.run(
            [sys.executable, "-m", "chatfsm", "scrub", path, *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).resolve().parents[3],
        )
        assert result.returncode == 2
        assert result.stderr.startswith("chatfsm: cannot write: ")
        assert "Traceback" not in result.stderr
    assert children(tmp_path) == {"in.jsonl", "folder"}


@pytest.mark.parametrize("words", [[], ["only-in"], ["a", "b", "c"], ["a", "b", "--weather"]])
def test_invalid_arguments_are_refused(runs: Runs, words: list[str]) -> None:
    """The exit code is 2, with the usage."""
    result = runs("scrub", *words)
    assert result.status == 2
    assert "usage: chatfsm" in result.err


def test_help_names_the_removed_data(runs: Runs) -> None:
    """The help describes the removed data, the key and the options."""
    result = runs("scrub", "--help")
    assert (result.status, result.err) == (0, "")
    text = " ".join(result.out.split())
    for part in (
        "IN OUT",
        "--force",
        "--chat-id",
        "- for standard input",
        "- for standard output",
        "set CHATFSM_SCRUB_KEY to a secret",
        "texts become their length",
    ):
        assert part in text
    assert "scrub remove personal data from a log" in " ".join(runs("--help").out.split())
