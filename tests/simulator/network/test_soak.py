"""Short soaks, and planted bugs that a soak must detect."""

from __future__ import annotations

import shlex
from itertools import count
from typing import Any

import pytest

from chatfsm._client import http_api
from chatfsm._session import messages
from chatfsm._session import snapshot as snapshots
from tests.soak.__main__ import main, play
from tests.soak.groups import Group
from tests.soak.ledger import Ledger, is_reply_in_flight


def test_a_few_chats_in_a_storm(capsys: pytest.CaptureFixture[str]) -> None:
    """Each text arrives once, and each answer is reported once."""
    assert main(["--chats", "6", "--minutes", "0.7", "--seed", "1"]) == 0
    printed = capsys.readouterr().out
    assert "chats       6\n" in printed
    assert "violations  0\n" in printed


def test_a_few_chats_that_end(capsys: pytest.CaptureFixture[str]) -> None:
    """If faults end sessions, each end is reported with its reason, and each loss is reported."""
    outcome = play(3, 7, 8, "lossy,404/5005:poll:0.05", 0.7)
    assert outcome.violations == []
    assert outcome.ends["gone"] > 0


def test_the_same_seed_is_the_same_soak() -> None:
    """A soak with the same seed has the same outcome."""
    assert play(4, 0, 2, "storm", 0.5) == play(4, 0, 2, "storm", 0.5)


def test_a_duplicate_report_is_caught(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The planted bug turns off the detection of duplicates.

    The output has the options to repeat.
    """

    def never(*_args: Any) -> bool:
        return False

    monkeypatch.setattr(messages, "is_duplicate", never)
    spec = "duplicate:poll:0.5"
    assert main(["--chats", "2", "--minutes", "1", "--seed", "5", "--faults", spec]) == 1
    printed = capsys.readouterr().out
    options = "--seed 5 --minutes 1 --chats 2 --faults duplicate:poll:0.5 --group 0"
    assert f"{options}: Violation" in printed
    assert "was reported twice" in printed


def test_a_violation_is_repeated_by_the_options_it_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The options include the minutes, the faults and the size of the last group."""
    note_text = Ledger.note_text

    def note_twice(self: Ledger, text: str, customer: Any) -> None:
        note_text(self, text, customer)
        self.texts.append("never sent")

    monkeypatch.setattr(Ledger, "note_text", note_twice)
    assert main(["--chats", "22", "--minutes", "0.5", "--seed", "6", "--faults", "delay=1"]) == 1
    *_, line = capsys.readouterr().err.splitlines()
    options, _, _ = line.partition(": ViolationError")
    assert main(shlex.split(options)) == 1
    assert capsys.readouterr().err.splitlines() == [line]


def test_a_chat_is_not_settled_while_a_reply_is_in_flight() -> None:
    """The center's pending list is empty, but the client has not received the message yet."""
    group = Group(1, 0, 1, "", lasting=False, opaque=False)
    (chat,) = group.chats
    world, network = group.world, group.world.network
    network.latency = 2.0
    chat.customer.open_chat()
    while not group.is_settled(chat) or not network._held_polls:
        world.run(1.0)
    text = {"event": "chat_session_message", "msg": "in flight", "party_id": "A0"}
    group.center.send_event(chat.customer.chat_id, text, now=world.now)
    world.run(1.0)
    assert "in flight" not in chat.customer.received_texts
    assert not group.center.chats[chat.customer.chat_id].pending
    assert is_reply_in_flight(chat.customer)
    assert not group.is_settled(chat)
    world.run(2.0)
    assert "in flight" in chat.customer.received_texts
    assert not is_reply_in_flight(chat.customer)


def test_an_incomplete_snapshot_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug omits the outbox from snapshots."""
    taken = snapshots.write_snapshot

    def without_outbox(memory: Any, now: float) -> Any:
        whole = taken(memory, now)
        body = {name: held for name, held in whole["memory"].items() if name != "outbox"}
        return {**whole, "memory": body, "digest": snapshots._digest(body)}

    monkeypatch.setattr(snapshots, "write_snapshot", without_outbox)
    assert play(1, 0, 6, "storm", 1.0).violations


def test_a_few_chats_with_faults_that_no_client_can_detect() -> None:
    """With late requests and cached histories copies are exact, and nothing is invented."""
    outcome = play(2, 4, 10, "late=40:post:0.1,drop-reply:0.1", 2.0)
    assert outcome.violations == []
    assert outcome.faults["late"] > 0
    assert outcome.faults["duplicate"] > 0


def test_a_copy_under_another_id_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message under a new id is not accepted as a copy."""
    post_body = http_api.post_body
    numbers = count(1_001, 2)

    def renamed(events: Any) -> bytes:
        return post_body(
            tuple({**e, "msg_id": str(next(numbers))} if "msg" in e else e for e in events)
        )

    monkeypatch.setattr(http_api, "post_body", renamed)
    (violation,) = play(2, 4, 10, "late=40:post:0.1", 1.0).violations
    assert "first arrived" in violation or "not calm" in violation


def test_a_copy_with_another_text_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A different text under the same id is not accepted as a copy."""
    post_body = http_api.post_body
    seen: set[str] = set()

    def reworded(events: Any) -> bytes:
        for event in (event for event in events if "msg" in event):
            if event["msg_id"] in seen:
                event["msg"] += "!"
            seen.add(event["msg_id"])
        return post_body(events)

    monkeypatch.setattr(http_api, "post_body", reworded)
    (violation,) = play(2, 4, 1, "late=40:post:0.3", 2.0).violations
    assert "no copy" in violation


@pytest.mark.parametrize("group", [0, 4])
def test_a_lost_text_is_caught(monkeypatch: pytest.MonkeyPatch, group: int) -> None:
    """The planted bug is a text in the ledger that no customer sent."""
    note_text = Ledger.note_text

    def note_twice(self: Ledger, text: str, customer: Any) -> None:
        note_text(self, text, customer)
        self.texts.append("never sent")

    monkeypatch.setattr(Ledger, "note_text", note_twice)
    (violation,) = play(1, group, 3, "", 0.5).violations
    assert "never sent" in violation


def test_invalid_faults_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The error comes before the first chat."""
    with pytest.raises(SystemExit):
        main(["--faults", "fire:0.1"])
    assert "no fault is called 'fire'" in capsys.readouterr().err
