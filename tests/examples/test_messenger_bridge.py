"""The bridge in docs/examples delivers each text, file and answer once, although it is killed."""

from __future__ import annotations

from pathlib import Path

from tests.examples.kill_bridge import BRIDGE, Plan, play


def test_a_killed_bridge_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """No item of three customers with two chats each is lost or duplicated by a kill."""
    outcome = play(Plan(customers=3, kills=1, texts=1), tmp_path)
    assert outcome.sent == 3 * 8
    assert outcome.received == 3 * 10
    assert (outcome.lost, outcome.twice) == (0, 0)


def test_the_bridge_is_short() -> None:
    """The bridge has at most 80 lines that are not blank."""
    code = [line for line in BRIDGE.read_text("utf-8").splitlines() if line.strip()]
    assert len(code) <= 80
