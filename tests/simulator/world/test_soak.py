"""A soak in small, and whether it sees a session that does wrong."""

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
    """All that was said has arrived once, all that was answered was told once."""
    assert main(["--chats", "6", "--minutes", "0.7", "--seed", "1"]) == 0
    told = capsys.readouterr().out
    assert "chats       6\n" in told
    assert "violations  0\n" in told


def test_a_few_chats_that_end(capsys: pytest.CaptureFixture[str]) -> None:
    """Where faults end sessions, each end is told with its reason, and each loss."""
    outcome = play(3, 7, 8, "lossy,404/5005:poll:0.05", 0.7)
    assert outcome.violations == []
    assert outcome.ends["gone"] > 0


def test_the_same_seed_is_the_same_soak() -> None:
    """What was seen once can be seen again."""
    assert play(4, 0, 2, "storm", 0.5) == play(4, 0, 2, "storm", 0.5)


def test_a_session_that_tells_twice_is_caught(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bug is planted: no message is known again. It is named, with the way to see it again."""

    def never(*_args: Any) -> bool:
        return False

    monkeypatch.setattr(messages, "is_duplicate", never)
    spec = "duplicate:poll:0.5"
    assert main(["--chats", "2", "--minutes", "1", "--seed", "5", "--faults", spec]) == 1
    told = capsys.readouterr().out
    assert "--seed 5 --minutes 1 --chats 2 --faults duplicate:poll:0.5 --group 0: Violation" in told
    assert "was reported twice" in told


def test_a_violation_is_repeated_by_the_options_it_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The length of the trouble, the faults and the size of the last group are among them."""
    said = Ledger.note_text

    def invents(self: Ledger, text: str, customer: Any) -> None:
        said(self, text, customer)
        self.texts.append("never said")

    monkeypatch.setattr(Ledger, "note_text", invents)
    assert main(["--chats", "22", "--minutes", "0.5", "--seed", "6", "--faults", "delay=1"]) == 1
    *_, line = capsys.readouterr().err.splitlines()
    options, _, _ = line.partition(": ViolationError")
    assert main(shlex.split(options)) == 1
    assert capsys.readouterr().err.splitlines() == [line]


def test_a_chat_is_not_settled_while_a_reply_is_in_flight() -> None:
    """The center holds the message no more, and the client has not received it yet."""
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


def test_a_snapshot_that_forgets_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another: what waits to be sent is not in the snapshot."""
    taken = snapshots.write_snapshot

    def forgetful(memory: Any, now: float) -> Any:
        whole = taken(memory, now)
        body = {name: held for name, held in whole["memory"].items() if name != "outbox"}
        return {**whole, "memory": body, "digest": snapshots._digest(body)}

    monkeypatch.setattr(snapshots, "write_snapshot", forgetful)
    assert play(1, 0, 6, "storm", 1.0).violations


def test_a_few_chats_that_no_client_can_see_through() -> None:
    """Late requests and cached histories: copies to the letter, nothing told twice or invented."""
    outcome = play(2, 4, 10, "late=40:post:0.1,drop-reply:0.1", 2.0)
    assert outcome.violations == []
    assert outcome.faults["late"] > 0
    assert outcome.faults["duplicate"] > 0


def test_a_copy_under_another_id_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody can know for a copy is none."""
    post_body = http_api.post_body
    numbers = count(1_001, 2)

    def renamed(events: Any) -> bytes:
        return post_body(
            tuple({**e, "msg_id": str(next(numbers))} if "msg" in e else e for e in events)
        )

    monkeypatch.setattr(http_api, "post_body", renamed)
    (violation,) = play(2, 4, 10, "late=40:post:0.1", 1.0).violations
    assert "first arrived" in violation or "not calm" in violation


def test_a_copy_in_other_words_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message under an id that it shares with another is no copy of it."""
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
def test_what_is_lost_is_caught(monkeypatch: pytest.MonkeyPatch, group: int) -> None:
    """And one in the books: a text that was never said does not arrive."""
    said = Ledger.note_text

    def invents(self: Ledger, text: str, customer: Any) -> None:
        said(self, text, customer)
        self.texts.append("never said")

    monkeypatch.setattr(Ledger, "note_text", invents)
    (violation,) = play(1, group, 3, "", 0.5).violations
    assert "never said" in violation


def test_faults_that_cannot_be_read_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything begins."""
    with pytest.raises(SystemExit):
        main(["--faults", "fire:0.1"])
    assert "no fault is called 'fire'" in capsys.readouterr().err
