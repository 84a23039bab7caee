"""The progress bar: drawn on standard error, and out of the way of output on the same terminal."""

from __future__ import annotations

import io
import sys

import pytest

from chatfsm._cli.progress import ProgressBar
from chatfsm.replay.sources import ReadPosition


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("output", "is_kept"), [(io.StringIO(), True), (Terminal(), False)])
def test_output_on_the_same_terminal_removes_the_bar(
    monkeypatch: pytest.MonkeyPatch, output: io.StringIO, is_kept: bool
) -> None:
    """With output in a file, the bar stays while chats are printed, and is removed at the end."""
    pytest.importorskip("rich")
    monkeypatch.setattr("chatfsm._cli.progress._DELAY", 0.0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", output)
    bar = ProgressBar(wanted=True)
    bar.show(ReadPosition("chats", 1, 2), 7)
    assert bar._bar is not None
    bar.clear_for_output()
    assert (bar._bar is not None) == is_kept
    bar.hide()
    assert bar._bar is None
