"""The bridge in docs/examples is killed: each text, file and answer arrives once."""

from __future__ import annotations

from pathlib import Path

from tests.examples.kill_bridge import BRIDGE, Plan, play


def test_a_killed_bridge_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """Customers with texts, files, forms and two chats each, through a bridge that is killed."""
    outcome = play(Plan(customers=3, kills=1, texts=1), tmp_path)
    assert outcome.sent == 3 * 8
    assert outcome.received == 3 * 10
    assert (outcome.lost, outcome.twice) == (0, 0)


def test_the_bridge_is_short() -> None:
    """At most 80 lines of code, without the empty ones."""
    code = [line for line in BRIDGE.read_text("utf-8").splitlines() if line.strip()]
    assert len(code) <= 80
