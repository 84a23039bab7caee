"""Comparison of two periods: the same customers with two agents, then with one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatfsm._cli import main
from tests.replay.simulated_weeks import count_by_hand, write_week


def test_two_periods_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`diff --metrics` gives the figures that the lines of the logs give, and their change."""
    logs = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for agents, log in zip((2, 1), logs, strict=True):
        write_week(log, 20, agents=agents, days=1)
    assert main(["diff", "--metrics", "--json", *map(str, logs)]) == 0
    found = json.loads(capsys.readouterr().out)
    a, b = (count_by_hand(log) for log in logs)
    assert {name: found["a"][name] for name in a} == pytest.approx(a, abs=0.01)
    assert {name: found["b"][name] for name in b} == pytest.approx(b, abs=0.01)
    changes = {name: b[name] - a[name] for name in a}
    assert {name: found["change"][name] for name in a} == pytest.approx(changes, abs=0.02)
    assert changes["chats"] == 0
    assert changes["abandoned"] > 0
    assert changes["service_level"] < 0
    assert changes["asa_seconds"] > 0
