"""What happens to a client, as rows: the words of a timeline, and the second."""

from __future__ import annotations

import io
from typing import Any

import pytest

from chatfsm._cli.demo_report import Diary, Line, sheet_for
from chatfsm._protocol.codec import decode_item
from chatfsm._session.session import ChatSession
from chatfsm.api import RequestChat
from chatfsm.client_effects import ApiSucceeded, LinkChanged


class Told:
    """A session whose effects go into a diary."""

    def __init__(self) -> None:
        self.now = 0.0
        self.diary = Diary(lambda: self.now)
        self.session = ChatSession("CHAT")
        self.diary.wording.knows(self.session)

    def hear(self, word: str, at: float, **fields: Any) -> None:
        self.now = at
        event = decode_item({"event": f"chat_session_{word}", **fields})
        for effect in self.session.receive(event, now=at):
            self.diary.told(effect)

    def rows(self) -> list[tuple[str, str, str, str]]:
        return [(row.at, row.what, row.who, row.text) for row in self.diary.rows()]


def test_the_words_are_those_of_a_timeline() -> None:
    """A diary reads like the timeline of a replayed log, with tenths of a second."""
    told = Told()
    told.hear("party_joined", 0.14, party_id="P", display_name="Pilar", type="internal")
    told.hear("typing", 1.0, party_id="P")
    told.hear("message", 2.0, party_id="P", msg_id="0", msg="Good morning!")
    assert told.rows() == [
        ("+0.1", "joined", "Pilar", "internal"),
        ("+1.0", "typing", "Pilar", "…"),
        ("+2.0", "typing", "Pilar", "stopped"),
        ("+2.0", "message", "Pilar", "Good morning!"),
    ]


def test_what_is_usual_is_left_out() -> None:
    """Nobody needs to read that a call was answered, or that nobody waits."""
    told = Told()
    told.hear("status", 0.0, state="queued", ewt="0")
    told.diary.told(ApiSucceeded(RequestChat(), None))
    assert [row[1] for row in told.rows()] == ["state"]
    told.hear("status", 1.0, state="queued", ewt="20")
    assert told.rows() == [("+1.0", "wait", "", "about 20 s")]


def test_the_link_and_notes_are_told() -> None:
    """What is no effect of the session stands between them, in the order of happening."""
    told = Told()
    told.diary.note("fault", "", "poll 1: no connection", "bad")
    told.diary.told(LinkChanged("retrying", "reset"))
    assert told.rows() == [
        ("+0.0", "fault", "", "poll 1: no connection"),
        ("+0.0", "link", "", "no connection, trying again (reset)"),
    ]


def test_rows_are_taken_once() -> None:
    """What was printed is not printed again."""
    told = Told()
    told.diary.note("said", "customer", "Hello!")
    assert len(told.rows()) == 1
    assert told.rows() == []


def test_a_diary_is_harmless() -> None:
    """No text moves a terminal's cursor, whoever wrote it."""
    told = Told()
    told.diary.note("message", "\x1b[2J", "a\rb")
    assert told.rows() == [("+0.0", "message", "\\x1b[2J", "a\\rb")]


def test_on_paper_it_is_80_columns_wide() -> None:
    """Without a terminal lines are wrapped at 80 columns, the words below each other."""
    out = io.StringIO()
    told = Told()
    told.diary.note("message", "Pilar", "once " * 20)
    told.diary.note("joined", "Pilar", "")
    sheet = sheet_for(out, "auto")
    sheet.rows(told.diary.rows())
    first, second, third = out.getvalue().splitlines()
    assert first.startswith("  +0.0  message    Pilar: once once")
    assert second == " " * 26 + " ".join(["once"] * 9)
    assert third == "  +0.0  joined     Pilar"
    assert len(first) <= 80


def test_the_table_has_a_column_a_client() -> None:
    """The answers stand below the names of the clients."""
    out = io.StringIO()
    line = Line("lost", (("1", "bad"), ("0", "good")))
    sheet_for(out, "never").table(("a loop", "chatfsm"), [line])
    head, lost, empty = out.getvalue().splitlines()
    assert head.index("chatfsm") == lost.index("0")
    assert head.index("a loop") == lost.index("1")
    assert (lost[:6], empty) == ("  lost", "")


def test_colours_are_there_when_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--color always` colours what goes into a pipe; a terminal is left plain by NO_COLOR."""
    out = io.StringIO()
    sheet_for(out, "always").head("heading")
    assert "\x1b[1m" in out.getvalue()

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    coloured, plain = Terminal(), Terminal()
    monkeypatch.delenv("NO_COLOR", raising=False)
    sheet_for(coloured, "auto").head("heading")
    monkeypatch.setenv("NO_COLOR", "1")
    sheet_for(plain, "auto").head("heading")
    assert "\x1b[1m" in coloured.getvalue()
    assert plain.getvalue() == "heading\n"
