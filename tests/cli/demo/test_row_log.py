"""The row log of a client: the texts of a timeline, with seconds."""

from __future__ import annotations

import io
from typing import Any

import pytest

from chatfsm._cli.demo_report import ReportLine, RowLog, printer_for
from chatfsm._protocol.codec import decode_item
from chatfsm._session.session import ChatSession
from chatfsm.api import RequestChat
from chatfsm.client_effects import ApiSucceeded, LinkChanged


class LoggedSession:
    """A session whose effects are added to a row log."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log = RowLog(lambda: self.now)
        self.session = ChatSession("CHAT")
        self.log.formatter.set_session(self.session)

    def receive(self, word: str, at: float, **fields: Any) -> None:
        self.now = at
        event = decode_item({"event": f"chat_session_{word}", **fields})
        for effect in self.session.receive(event, now=at):
            self.log.add_effect(effect)

    def rows(self) -> list[tuple[str, str, str, str]]:
        return [(row.at, row.what, row.who, row.text) for row in self.log.take_rows()]


def test_the_texts_are_those_of_a_timeline() -> None:
    """The texts are those of the timeline of a replayed log, with tenths of a second."""
    logged = LoggedSession()
    logged.receive("party_joined", 0.14, party_id="P", display_name="Pilar", type="internal")
    logged.receive("typing", 1.0, party_id="P")
    logged.receive("message", 2.0, party_id="P", msg_id="0", msg="Good morning!")
    assert logged.rows() == [
        ("+0.1", "joined", "Pilar", "internal"),
        ("+1.0", "typing", "Pilar", "…"),
        ("+2.0", "typing", "Pilar", "stopped"),
        ("+2.0", "message", "Pilar", "Good morning!"),
    ]


def test_routine_effects_have_no_row() -> None:
    """A successful request and a wait of 0 seconds have no row."""
    logged = LoggedSession()
    logged.receive("status", 0.0, state="queued", ewt="0")
    logged.log.add_effect(ApiSucceeded(RequestChat(), None))
    assert [row[1] for row in logged.rows()] == ["state"]
    logged.receive("status", 1.0, state="queued", ewt="20")
    assert logged.rows() == [("+1.0", "wait", "", "about 20 s")]


def test_the_link_and_notes_have_rows() -> None:
    """Other rows are sorted by time among those of effects."""
    logged = LoggedSession()
    logged.log.add("fault", "", "poll 1: no connection", "bad")
    logged.log.add_effect(LinkChanged("retrying", "reset"))
    assert logged.rows() == [
        ("+0.0", "fault", "", "poll 1: no connection"),
        ("+0.0", "link", "", "no connection, trying again (reset)"),
    ]


def test_rows_are_taken_once() -> None:
    """Printed rows are not printed again."""
    logged = LoggedSession()
    logged.log.add("sent", "customer", "Hello!")
    assert len(logged.rows()) == 1
    assert logged.rows() == []


def test_a_row_log_escapes_control_characters() -> None:
    """Control characters are escaped."""
    logged = LoggedSession()
    logged.log.add("message", "\x1b[2J", "a\rb")
    assert logged.rows() == [("+0.0", "message", "\\x1b[2J", "a\\rb")]


def test_without_a_terminal_it_is_80_columns_wide() -> None:
    """Without a terminal lines are wrapped at 80 columns, with the text aligned."""
    out = io.StringIO()
    logged = LoggedSession()
    logged.log.add("message", "Pilar", "once " * 20)
    logged.log.add("joined", "Pilar", "")
    printer = printer_for(out, "auto")
    printer.rows(logged.log.take_rows())
    first, second, third = out.getvalue().splitlines()
    assert first.startswith("  +0.0  message    Pilar: once once")
    assert second == " " * 26 + " ".join(["once"] * 9)
    assert third == "  +0.0  joined     Pilar"
    assert len(first) <= 80


def test_the_table_has_a_column_a_client() -> None:
    """The values are below the names of the clients."""
    out = io.StringIO()
    line = ReportLine("lost", (("1", "bad"), ("0", "good")))
    printer_for(out, "never").table(("a loop", "chatfsm"), [line])
    head, lost, empty = out.getvalue().splitlines()
    assert head.index("chatfsm") == lost.index("0")
    assert head.index("a loop") == lost.index("1")
    assert (lost[:6], empty) == ("  lost", "")


def test_the_colour_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--color always` colours a pipe, and NO_COLOR keeps a terminal plain."""
    out = io.StringIO()
    printer_for(out, "always").heading("heading")
    assert "\x1b[1m" in out.getvalue()

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    coloured, plain = Terminal(), Terminal()
    monkeypatch.delenv("NO_COLOR", raising=False)
    printer_for(coloured, "auto").heading("heading")
    monkeypatch.setenv("NO_COLOR", "1")
    printer_for(plain, "auto").heading("heading")
    assert "\x1b[1m" in coloured.getvalue()
    assert plain.getvalue() == "heading\n"
