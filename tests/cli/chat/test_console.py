"""The console between a user and a chat, without a terminal and without a network."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from attrs import define, field

from chatfsm import commands as c
from chatfsm._cli.chat_ui import ChatConsole, EffectFormatter
from chatfsm._cli.plain_input import LineBuffer, LineTerminal
from chatfsm._cli.prompt import PlainScreen, Question
from chatfsm._cli.timeline import Row
from chatfsm._protocol.codec import decode
from chatfsm._session.session import ChatSession
from chatfsm.api import GetVersion, Resume
from chatfsm.client_effects import (
    ApiFailed,
    ApiSucceeded,
    AuthorizationFailed,
    ChatOpened,
    LinkChanged,
    Undelivered,
)
from chatfsm.drivers._actions import ChatActions
from chatfsm.errors import AuthorizationError, LocalProtocolError, TransportError

ADA = {"event": "chat_session_party_joined", "party_id": "A", "display_name": "Ada"}


@define
class RecordingScreen:
    rows: list[Row] = field(factory=list)

    def show(self, row: Row) -> None:
        self.rows.append(row)

    @property
    def words(self) -> list[str]:
        return [f"{row.what}: {row.text}" for row in self.rows]


@define
class Client:
    session: ChatSession | None = field(factory=lambda: ChatSession("CHAT-1"))
    done: bool = False


@define
class FakeChat(ChatActions[None, None]):
    """Passes each command to the session, and records it."""

    client: Client
    sent: list[object] = field(factory=list)

    def send(self, command: Any) -> None:
        if self.client.session is None:
            raise LocalProtocolError("there is no chat yet")
        if not isinstance(command, Resume):
            self.client.session.receive(command, now=1.0)
        self.sent.append(command)

    def _send_message(self, command: Any) -> None:
        self.send(command)

    def _read(self, reader: Any) -> Any:
        raise AssertionError("the console reads the client")

    def upload(self, path: Path) -> None:
        self.sent.append(path.read_bytes())

    def download(self, file_id: str) -> bytes:
        return f"content of {file_id}".encode()


def console_of(**fields: tuple[str, ...]) -> ChatConsole:
    client = Client()
    return ChatConsole(
        FakeChat(client), RecordingScreen(), EffectFormatter(0.0), lambda: 61.0, fields
    )


def receive(console: ChatConsole, *events: dict[str, Any]) -> None:
    """Pass events to the session, and their effects to the console."""
    for event in decode([*events]):
        for effect in console.chat.client.session.receive(event, now=1.0):
            console.on_effect(effect)


def test_a_restored_chat_is_known() -> None:
    """Names and open forms of a restored session are known."""
    session = ChatSession("CHAT-1")
    for event in decode([ADA, form_shown(form_name="survey")]):
        session.receive(event, now=1.0)
    client = Client(session)
    console = ChatConsole(
        FakeChat(client), RecordingScreen(), EffectFormatter(0.0), lambda: 1.0, {}
    )
    receive(console, {"event": "chat_session_typing", "party_id": "A"})
    assert console.status == "survey: name=value, an empty line at the end?   Ada typing ..."


def form_shown(**more: str) -> dict[str, str]:
    return {"event": "chat_session_form_show", "form_request_id": "7", **more}


def test_effects_are_shown_with_names() -> None:
    """A message has the name of its sender; routine events are not shown."""
    console = console_of()
    greeting = {"event": "chat_session_message", "party_id": "A", "msg_id": "2", "msg": "Hello"}
    receive(console, ADA, {"event": "chat_session_typing", "party_id": "A"})
    assert console.status == "Ada typing ..."
    receive(console, greeting)
    assert console.status == ""
    assert console.screen.rows[-1] == Row("+1:01", "message", "Ada", "Hello", "plain")
    assert [row.what for row in console.screen.rows] == ["joined", "message"]


def test_texts_of_the_server_are_escaped() -> None:
    """Control characters in texts, names and form names are escaped."""
    console = console_of()
    hostile = "\x1b[2J\u202e"
    receive(
        console,
        {**ADA, "display_name": hostile},
        {"event": "chat_session_message", "party_id": "A", "msg": hostile},
        {"event": "chat_session_typing", "party_id": "A"},
        form_shown(form_name=hostile),
    )
    console.on_effect(ChatOpened(hostile, is_new=True))
    console.on_effect(LinkChanged("retrying", hostile))
    console.on_effect(Undelivered(hostile, None, hostile))
    shown = [*console.screen.words, console.status, *(row.who for row in console.screen.rows)]
    assert all(text.isprintable() for text in shown)


def test_the_link_and_its_errors_are_shown() -> None:
    """Link problems are shown in a row, and in the status while they last."""
    console = console_of()
    console.on_effect(LinkChanged("retrying", "no reply (connect)"))
    assert "no connection, trying again (no reply (connect))" in console.screen.words[-1]
    assert console.status == "(retrying)"
    console.on_effect(AuthorizationFailed(AuthorizationError("the app is unknown")))
    console.on_effect(ApiFailed(GetVersion(), TransportError("timeout")))
    console.on_effect(ApiSucceeded(GetVersion(), "5.5"))
    console.on_effect(LinkChanged("live"))
    assert console.status == ""
    assert [row.what for row in console.screen.rows] == ["link", "refused", "refused", "link"]


def test_before_the_chat_is_open() -> None:
    """Effects and commands without a session raise no error."""
    console = console_of()
    console.chat.client.session = None
    console.on_effect(LinkChanged("waiting"))
    console.on_edit("he")
    console.on_line("hello")
    console.on_line("/hangup")
    assert [row.what for row in console.screen.rows] == ["link", "error", "error"]
    assert EffectFormatter(0.0).rows_for(object(), 0.0) == []
    assert EffectFormatter(0.0).name_of("A") == ""


def test_a_line_is_sent() -> None:
    """A line is sent and shown as the customer's message; an empty line is not."""
    console = console_of()
    console.on_line("hello")
    console.on_line("//slash")
    console.on_line("  ")
    assert console.chat.sent == [c.SendText("hello"), c.SendText("/slash")]
    assert console.screen.words == ["sent: hello", "sent: /slash"]


def test_a_form_with_known_fields_is_asked_field_by_field() -> None:
    """Each field is asked by its name; the answers are sent together and not shown."""
    console = console_of(survey=("score", "comment"))
    receive(console, form_shown(form_name="survey"))
    assert console.status == "survey: score?"
    console.on_line("9")
    assert console.status == "survey: comment?"
    console.on_line("very good")
    assert console.chat.sent == [c.SubmitForm("7", {"score": "9", "comment": "very good"})]
    assert "very good" not in " ".join(console.screen.words)
    assert console.status == ""


def test_other_forms_are_answered_in_lines() -> None:
    """Lines name=value are read until an empty one; a malformed one is an error."""
    console = console_of()
    receive(console, form_shown(form_name="other"))
    for line in ("a=1", "what?", "b=2", ""):
        console.on_line(line)
    assert console.chat.sent == [c.SubmitForm("7", {"a": "1", "b": "2"})]
    assert console.screen.rows[1].what == "error"


def test_a_text_prompt_is_answered_by_a_message() -> None:
    """For a form without a name, the next line is its answer."""
    console = console_of()
    receive(console, form_shown(form_name=""))
    assert console.status == ""
    console.on_line("forty-two")
    assert console.chat.sent == [c.SendText("forty-two")]


def test_a_cancelled_form_is_not_asked_any_more() -> None:
    """When the server cancels a form, the next one is asked; /cancel declines it."""
    console = console_of()
    secure = {"event": "chat_session_secure_form_show", "form_request_id": "8", "form_id": "card"}
    receive(console, form_shown(form_name="survey"), secure)
    assert not console.question.is_hidden
    console.on_line("/cancel")
    assert console.question.is_hidden
    assert console.chat.sent == [c.CancelForm("7")]
    receive(console, {"event": "chat_session_secure_form_cancel", "form_request_id": "8"})
    console.on_line("/cancel")
    assert console.screen.words[-1] == "error: no form is asked"


def test_the_answer_of_a_secure_form_is_hidden() -> None:
    """The input is hidden while a secure form is asked."""
    console = console_of()
    receive(
        console,
        {"event": "chat_session_secure_form_show", "form_request_id": "8", "form_id": "card"},
    )
    assert console.question.is_hidden
    console.on_line("/4111")
    assert console.screen.rows[-1].what == "error"
    console.on_line("number=4111")
    console.on_line("")
    assert console.chat.sent == [c.SubmitForm("8", {"number": "4111"}, secure=True)]
    assert "4111" not in " ".join(console.screen.words)


def test_commands(tmp_path: Path) -> None:
    """Each command does what its help describes."""
    console = console_of()
    receive(console, {"event": "chat_session_status", "state": "connected"})
    (tmp_path / "notes").write_bytes(b"my notes")
    for line in (
        *(f"/file {tmp_path}/notes", f"/get f-1 {tmp_path}/copy", "/call", "/hangup"),
        *("/resume", "/disconnect", "/help", "/end"),
    ):
        console.on_line(line)
    assert (tmp_path / "copy").read_bytes() == b"content of f-1"
    assert [type(command).__name__ for command in console.chat.sent] == [
        *("bytes", "RequestCall", "EndCall", "Resume", "Disconnect", "End")
    ]
    assert console.is_ending
    assert not console.is_finished
    assert [row.what for row in console.screen.rows].count("error") == 0
    console.on_line("/quit")
    assert console.is_finished


def test_an_offered_call_is_declined() -> None:
    """/hangup rejects an offered call."""
    console = console_of()
    offer = {"type": "OFFER_CALL", "sdp": "v=0"}
    receive(
        console,
        {"event": "chat_session_status", "state": "connected"},
        {"event": "chat_session_signaling", "msg_id": "2", "party_id": "A", "data": offer},
    )
    console.on_line("/hangup")
    assert console.chat.sent == [c.RejectCall()]


def test_errors_are_shown(tmp_path: Path) -> None:
    """A wrong command, a missing file and an existing target are errors and change nothing."""
    console = console_of()
    (tmp_path / "there").write_bytes(b"mine")
    for line in (f"/file {tmp_path}/none", f"/get f-1 {tmp_path}/there", "/nope", "/hangup"):
        console.on_line(line)
    assert [row.what for row in console.screen.rows] == ["error"] * 4
    assert (tmp_path / "there").read_bytes() == b"mine"
    assert console.chat.sent == []


def test_typing_is_reported_of_messages_alone() -> None:
    """Typing is reported for messages, but not for commands and answers."""
    console = console_of()
    for text in ("h", "hi", "", "/", "/e"):
        console.on_edit(text)
    assert console.chat.sent == [c.StartTyping(), c.StartTyping(), c.StopTyping()]
    receive(console, form_shown(form_name="survey"))
    console.on_edit("secret")
    console.chat.client.done = True
    console.on_edit("too late")
    assert len(console.chat.sent) == 3


SECURE = {"event": "chat_session_secure_form_show", "form_request_id": "8", "form_id": "card"}
CANCEL = {"event": "chat_session_secure_form_cancel", "form_request_id": "8"}


def test_the_line_after_a_closed_secure_form_is_dropped() -> None:
    """In plain input the form may close before the line of its answer is complete."""
    console = console_of(card=("number",))
    console.drops_late_answers = True
    receive(console, SECURE, form_shown(form_name="survey"), CANCEL)
    assert console.question.is_hidden
    console.on_line("4111")
    assert console.chat.sent == []
    assert console.screen.words[-1].startswith("error: the form was closed before this answer")
    assert "4111" not in " ".join(console.screen.words)
    assert not console.question.is_hidden
    console.on_line("score=5")
    console.on_line("")
    assert console.chat.sent == [c.SubmitForm("7", {"score": "5"})]


def test_a_line_after_an_answer_is_not_dropped() -> None:
    """A secure form that was answered or declined does not drop the next line."""
    for line in ("4111", "/cancel"):
        console = console_of(card=("number",))
        console.drops_late_answers = True
        receive(console, SECURE)
        console.on_line(line)
        assert console.question == Question()
        console.on_line("hello")
        assert console.chat.sent[-1] == c.SendText("hello")


def test_a_file_shows_how_to_download_it() -> None:
    """The row has the file id for /get, with control characters escaped."""
    console = console_of()
    receive(
        console,
        {"event": "chat_session_file", "file_id": "F-1\x1b", "file_name": "a.txt", "party_id": "A"},
        {
            "event": "chat_session_message",
            "party_id": "A",
            "msg": "see",
            "attachments": [{"id": "17", "name": "b.txt"}, {"name": "without an id"}],
        },
    )
    downloads = [row.text for row in console.screen.rows if row.what == "download"]
    assert downloads == ["/get F-1\\x1b PATH", "/get 17 PATH"]


def piped(console: ChatConsole) -> tuple[LineBuffer, int]:
    source, sink = os.pipe()
    os.close(sink)
    return LineBuffer(console, LineTerminal(source)), source


def test_a_line_that_was_begun_in_a_pipe_answers_no_form_that_opens() -> None:
    """The begun line stays a message; the next line is the answer."""
    console = console_of(card=("number",))
    lines, source = piped(console)
    lines.add("I am ")
    receive(console, SECURE)
    lines.add("here\n41")
    lines.add("11\n")
    assert console.chat.sent == [
        c.SendText("I am here"),
        c.SubmitForm("8", {"number": "4111"}, secure=True),
    ]
    os.close(source)


def test_a_secure_answer_that_was_begun_in_a_pipe_is_dropped_with_its_form() -> None:
    """The line after the dropped answer is a message."""
    console = console_of(card=("number",))
    console.drops_late_answers = True
    lines, source = piped(console)
    receive(console, SECURE)
    lines.add("41")
    receive(console, CANCEL)
    lines.add("11\nhello\n")
    assert console.chat.sent == [c.SendText("hello")]
    assert "41" not in " ".join(console.screen.words)
    os.close(source)


def test_rows_of_a_pipe_are_lines() -> None:
    """Plain rows have no colours; a question is shown once, when it changes."""
    out = io.StringIO()
    screen = PlainScreen(out)
    screen.show(Row("+0:01", "message", "Ada", "Hello", "plain"))
    screen.show(Row("+0:02", "state", "", "a → b", "state"))
    for status in ("score?", "score?", "", "score?"):
        screen.show_status(status, Question())
    assert out.getvalue().splitlines() == [
        "  +0:01  message      Ada: Hello",
        "  +0:02  state        a → b",
        "         ... score?",
        "         ... score?",
    ]
