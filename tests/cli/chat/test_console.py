"""A talk between a person and a chat, without a terminal and without a network."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from attrs import define, field

from chatfsm import commands as c
from chatfsm._cli.chat_ui import ChatConsole, EffectFormatter
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
from chatfsm.drivers._core import ChatActions
from chatfsm.errors import AuthorizationError, LocalProtocolError, TransportError

ADA = {"event": "chat_session_party_joined", "party_id": "A", "display_name": "Ada"}


@define
class Shown:
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
    """Lets the session hear what is ordered, and remembers it."""

    client: Client
    ordered: list[object] = field(factory=list)

    def send(self, command: Any) -> None:
        if self.client.session is None:
            raise LocalProtocolError("there is no chat yet")
        if not isinstance(command, Resume):
            self.client.session.receive(command, now=1.0)
        self.ordered.append(command)

    def _send_message(self, command: Any) -> None:
        self.send(command)

    def _read(self, reader: Any) -> Any:
        raise AssertionError("the console reads the client")

    def upload(self, path: Path) -> None:
        self.ordered.append(path.read_bytes())

    def download(self, file_id: str) -> bytes:
        return f"content of {file_id}".encode()


def talk_of(**fields: tuple[str, ...]) -> ChatConsole:
    client = Client()
    return ChatConsole(FakeChat(client), Shown(), EffectFormatter(0.0), lambda: 61.0, fields)


def happens(talk: ChatConsole, *events: dict[str, Any]) -> None:
    """The server tells something, which the talk shows."""
    for event in decode([*events]):
        for effect in talk.chat.client.session.receive(event, now=1.0):
            talk.on_effect(effect)


def test_a_chat_that_goes_on_is_known() -> None:
    """After a restart, names and open forms are what they were."""
    session = ChatSession("CHAT-1")
    for event in decode([ADA, form_shown(form_name="survey")]):
        session.receive(event, now=1.0)
    client = Client(session)
    talk = ChatConsole(FakeChat(client), Shown(), EffectFormatter(0.0), lambda: 1.0, {})
    happens(talk, {"event": "chat_session_typing", "party_id": "A"})
    assert talk.status == "survey: name=value, an empty line at the end?   Ada typing ..."


def form_shown(**more: str) -> dict[str, str]:
    return {"event": "chat_session_form_show", "form_request_id": "7", **more}


def test_what_is_told_is_shown_with_names() -> None:
    """A message bears its sender's name; what is usual is not shown at all."""
    talk = talk_of()
    said = {"event": "chat_session_message", "party_id": "A", "msg_id": "2", "msg": "Hello"}
    happens(talk, ADA, {"event": "chat_session_typing", "party_id": "A"})
    assert talk.status == "Ada typing ..."
    happens(talk, said)
    assert talk.status == ""
    assert talk.screen.rows[-1] == Row("+1:01", "message", "Ada", "Hello", "plain")
    assert [row.what for row in talk.screen.rows] == ["joined", "message"]


def test_nothing_that_the_server_sends_moves_the_cursor() -> None:
    """Control characters in texts, names and form names are shown escaped."""
    talk = talk_of()
    evil = "\x1b[2J\u202e"
    happens(
        talk,
        {**ADA, "display_name": evil},
        {"event": "chat_session_message", "party_id": "A", "msg": evil},
        {"event": "chat_session_typing", "party_id": "A"},
        form_shown(form_name=evil),
    )
    talk.on_effect(ChatOpened(evil, is_new=True))
    talk.on_effect(LinkChanged("retrying", evil))
    talk.on_effect(Undelivered(evil, None, evil))
    shown = [*talk.screen.words, talk.status, *(row.who for row in talk.screen.rows)]
    assert all(text.isprintable() for text in shown)


def test_the_link_and_its_errors_are_shown() -> None:
    """What goes wrong on the way is told in words, and stays in the status while it lasts."""
    talk = talk_of()
    talk.on_effect(LinkChanged("retrying", "no reply (connect)"))
    assert "no connection, trying again (no reply (connect))" in talk.screen.words[-1]
    assert talk.status == "(retrying)"
    talk.on_effect(AuthorizationFailed(AuthorizationError("the app is unknown")))
    talk.on_effect(ApiFailed(GetVersion(), TransportError("timeout")))
    talk.on_effect(ApiSucceeded(GetVersion(), "5.5"))
    talk.on_effect(LinkChanged("live"))
    assert talk.status == ""
    assert [row.what for row in talk.screen.rows] == ["link", "refused", "refused", "link"]


def test_before_there_is_a_chat_little_can_be_done() -> None:
    """Effects and orders without a session do no harm."""
    talk = talk_of()
    talk.chat.client.session = None
    talk.on_effect(LinkChanged("waiting"))
    talk.on_edit("he")
    talk.on_line("hello")
    talk.on_line("/hangup")
    assert [row.what for row in talk.screen.rows] == ["link", "error", "error"]
    assert EffectFormatter(0.0).rows_for(object(), 0.0) == []
    assert EffectFormatter(0.0).name_of("A") == ""


def test_a_line_is_said() -> None:
    """What is said goes to the chat, and is shown as one's own; an empty line says nothing."""
    talk = talk_of()
    talk.on_line("hello")
    talk.on_line("//slash")
    talk.on_line("  ")
    assert talk.chat.ordered == [c.SendText("hello"), c.SendText("/slash")]
    assert talk.screen.words == ["sent: hello", "sent: /slash"]


def test_a_form_with_known_fields_is_asked_field_by_field() -> None:
    """Each field is asked by its name, the answers go out together, and are not shown."""
    talk = talk_of(survey=("score", "comment"))
    happens(talk, form_shown(form_name="survey"))
    assert talk.status == "survey: score?"
    talk.on_line("9")
    assert talk.status == "survey: comment?"
    talk.on_line("very good")
    assert talk.chat.ordered == [c.SubmitForm("7", {"score": "9", "comment": "very good"})]
    assert "very good" not in " ".join(talk.screen.words)
    assert talk.status == ""


def test_other_forms_are_answered_in_lines() -> None:
    """Lines name=value until an empty one; a mistake is shown and asked again."""
    talk = talk_of()
    happens(talk, form_shown(form_name="other"))
    for line in ("a=1", "what?", "b=2", ""):
        talk.on_line(line)
    assert talk.chat.ordered == [c.SubmitForm("7", {"a": "1", "b": "2"})]
    assert talk.screen.rows[1].what == "error"


def test_a_text_prompt_is_answered_by_what_is_said() -> None:
    """A form without a name asks nothing: the next line is the answer."""
    talk = talk_of()
    happens(talk, form_shown(form_name=""))
    assert talk.status == ""
    talk.on_line("forty-two")
    assert talk.chat.ordered == [c.SendText("forty-two")]


def test_a_form_that_is_gone_is_no_longer_asked() -> None:
    """When the server takes a form back, the next one is asked; /cancel refuses it."""
    talk = talk_of()
    secure = {"event": "chat_session_secure_form_show", "form_request_id": "8", "form_id": "card"}
    happens(talk, form_shown(form_name="survey"), secure)
    assert not talk.question.is_hidden
    talk.on_line("/cancel")
    assert talk.question.is_hidden
    assert talk.chat.ordered == [c.CancelForm("7")]
    happens(talk, {"event": "chat_session_secure_form_cancel", "form_request_id": "8"})
    talk.on_line("/cancel")
    assert talk.screen.words[-1] == "error: no form is asked"


def test_what_answers_a_secure_form_is_secret() -> None:
    """While a secure form is asked, what is typed is not to be shown."""
    talk = talk_of()
    happens(
        talk,
        {"event": "chat_session_secure_form_show", "form_request_id": "8", "form_id": "card"},
    )
    assert talk.question.is_hidden
    talk.on_line("number=4111")
    talk.on_line("")
    assert talk.chat.ordered == [c.SubmitForm("8", {"number": "4111"}, secure=True)]
    assert "4111" not in " ".join(talk.screen.words)


def test_orders(tmp_path: Path) -> None:
    """Each order does what the help says of it."""
    talk = talk_of()
    happens(talk, {"event": "chat_session_status", "state": "connected"})
    (tmp_path / "notes").write_bytes(b"my notes")
    for line in (
        *(f"/file {tmp_path}/notes", f"/get f-1 {tmp_path}/copy", "/call", "/hangup"),
        *("/resume", "/disconnect", "/help", "/end"),
    ):
        talk.on_line(line)
    assert (tmp_path / "copy").read_bytes() == b"content of f-1"
    assert [type(order).__name__ for order in talk.chat.ordered] == [
        *("bytes", "RequestCall", "EndCall", "Resume", "Disconnect", "End")
    ]
    assert talk.is_ending
    assert not talk.is_finished
    assert [row.what for row in talk.screen.rows].count("error") == 0
    talk.on_line("/quit")
    assert talk.is_finished


def test_an_offered_call_is_declined() -> None:
    """/hangup rejects what is only offered."""
    talk = talk_of()
    offer = {"type": "OFFER_CALL", "sdp": "v=0"}
    happens(
        talk,
        {"event": "chat_session_status", "state": "connected"},
        {"event": "chat_session_signaling", "msg_id": "2", "party_id": "A", "data": offer},
    )
    talk.on_line("/hangup")
    assert talk.chat.ordered == [c.RejectCall()]


def test_what_cannot_be_done_is_shown(tmp_path: Path) -> None:
    """A mistake, a missing file, and a file that would be replaced change nothing."""
    talk = talk_of()
    (tmp_path / "there").write_bytes(b"mine")
    for line in (f"/file {tmp_path}/none", f"/get f-1 {tmp_path}/there", "/nope", "/hangup"):
        talk.on_line(line)
    assert [row.what for row in talk.screen.rows] == ["error"] * 4
    assert (tmp_path / "there").read_bytes() == b"mine"
    assert talk.chat.ordered == []


def test_typing_is_told_of_messages_alone() -> None:
    """Keys of a message are told; those of an order, and of an answer, are nobody's business."""
    talk = talk_of()
    for text in ("h", "hi", "", "/", "/e"):
        talk.on_edit(text)
    assert talk.chat.ordered == [c.StartTyping(), c.StartTyping(), c.StopTyping()]
    happens(talk, form_shown(form_name="survey"))
    talk.on_edit("secret")
    talk.chat.client.done = True
    talk.on_edit("too late")
    assert len(talk.chat.ordered) == 3


def test_rows_of_a_pipe_are_lines() -> None:
    """Plain rows hold no colours; what is asked is shown once, where it changes."""
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
