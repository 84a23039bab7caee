"""The methods of a chat, and the commands that they send."""

from __future__ import annotations

import asyncio
import os
import sys
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, ForwardRef, get_args, get_type_hints

import pytest

from chatfsm import api, events
from chatfsm import commands as c
from chatfsm._client.http_api import METHODS
from chatfsm.api import LARGEST_FILE, Resume, UploadedFile, UploadFile
from chatfsm.drivers import aio, threads
from chatfsm.drivers._actions import ChatActions, file_id_of, read_upload, share_command
from chatfsm.errors import LocalProtocolError
from chatfsm.models import ChatMessage, Form, Party, SharedFile
from tests.drivers.scripted_client import ScriptedClient, replying


class Repeating(ChatActions[object, object]):
    """A chat that returns the command of each method."""

    def send(self, command: object) -> object:
        return command

    def _send_message(self, command: object) -> object:
        return command

    def _read(self, reader: object) -> Any:
        raise AssertionError("no command reads the state")


SECURE = Form("8", "card", secure=True)
MESSAGE = ChatMessage(events.Message(msg_id="4"), None, own=False)
FILE = SharedFile(events.File("f-1", msg_id="6"), None, own=False)

SENT: list[tuple[Any, object]] = [
    (lambda chat: chat.send_text("hi"), c.SendText("hi")),
    (lambda chat: chat.send_text("hi", html="<b>hi</b>"), c.SendText("hi", "<b>hi</b>")),
    (lambda chat: chat.send_text("hi", msg_id="7"), c.SendText("hi", msg_id="7")),
    (lambda chat: chat.send_text("hi", directive_id="d"), c.SendText("hi", directive_id="d")),
    (lambda chat: chat.start_typing(), c.StartTyping()),
    (lambda chat: chat.start_typing("he"), c.StartTyping("he")),
    (lambda chat: chat.stop_typing(), c.StopTyping()),
    (lambda chat: chat.submit_form("7", {"a": "1"}), c.SubmitForm("7", {"a": "1"})),
    (lambda chat: chat.submit_form(SECURE, {}), c.SubmitForm("8", {}, secure=True)),
    (lambda chat: chat.cancel_form("7"), c.CancelForm("7")),
    (lambda chat: chat.cancel_form(SECURE), c.CancelForm("8", secure=True)),
    (lambda chat: chat.mark_delivered("2"), c.MarkDelivered("2")),
    (lambda chat: chat.mark_delivered(MESSAGE), c.MarkDelivered("4")),
    (lambda chat: chat.mark_read(MESSAGE), c.MarkRead("4")),
    (lambda chat: chat.mark_read(FILE), c.MarkRead("6")),
    (lambda chat: chat.disconnect(), c.Disconnect()),
    (lambda chat: chat.end(), c.End()),
    (lambda chat: chat.resume("app"), Resume("app")),
]


@pytest.mark.parametrize(("method", "command"), SENT, ids=lambda value: type(value).__name__)
def test_a_method_sends_its_command(method: Any, command: object) -> None:
    """Each method sends the command of the same name."""
    assert method(Repeating()) == command


def test_methods_need_a_driver() -> None:
    """The methods alone send nothing."""
    with pytest.raises(TypeError, match="abstract"):
        ChatActions()  # type: ignore[abstract]


def test_a_message_without_an_id_cannot_be_marked() -> None:
    """A receipt needs a message id; without one the method raises."""
    with pytest.raises(LocalProtocolError, match="no msg_id"):
        Repeating().mark_read(ChatMessage(events.Message(), None, own=False))


@pytest.mark.parametrize(
    ("name", "kind", "file_type"),
    [
        ("cat.png", "image/png", "image"),
        ("notes.txt", "text/plain", "attachment"),
        ("notes.txt.gz", "application/octet-stream", "attachment"),
        ("without", "application/octet-stream", "attachment"),
    ],
)
def test_a_file_is_uploaded_and_shared(
    tmp_path: Path, name: str, kind: str, file_type: str
) -> None:
    """The type is guessed from the name, and the wire has `image` or `attachment`."""
    (tmp_path / name).write_bytes(b"content")
    call = read_upload(tmp_path / name)
    assert call == UploadFile(name, b"content", kind)
    assert share_command(call, UploadedFile("f-1")) == c.SendFile("f-1", file_type, name)
    assert share_command(call, UploadedFile("f-1", "other")).file_name == "other"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """A file above the server's limit is refused before it is read."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        os.truncate(file.fileno(), LARGEST_FILE + 1)
    with pytest.raises(LocalProtocolError, match="bytes or fewer"):
        read_upload(str(path))


def test_a_file_is_downloaded_by_its_id() -> None:
    """A download takes a shared file or its id."""
    assert file_id_of(FILE) == file_id_of("f-1") == "f-1"


@pytest.mark.parametrize("request_class", METHODS, ids=lambda cls: cls.__name__)
def test_the_declared_result_is_the_decoded_one(request_class: type) -> None:
    """`TypedRequest[Result]` names the type that the decoder returns.

    One may be None after a 404.
    """
    declared = request_class.__orig_bases__[-1]
    [result] = get_args(declared)
    if isinstance(result, ForwardRef):
        result = eval(result.__forward_arg__, vars(api))  # noqa: S307
    read = get_type_hints(METHODS[request_class].read)["return"]
    assert result == (read | None if request_class is api.GetActiveChat else read)


def test_a_message_names_its_sender() -> None:
    """The sender is the party's name, or its id, or None."""
    event = events.Message(party_id="A")
    ada = Party("A", "internal", display_name="Ada")
    assert ChatMessage(event, ada, own=False).sender_name == "Ada"
    assert ChatMessage(event, None, own=False).sender_name == "A"
    assert ChatMessage(events.Message(), None, own=True).sender_name == ""


def test_content_and_file_objects_are_uploaded(tmp_path: Path) -> None:
    """Content in memory needs no path; the name is given, or comes from the file object."""
    (tmp_path / "a.png").write_bytes(b"picture")
    with (tmp_path / "a.png").open("rb") as file:
        assert read_upload(file) == UploadFile("a.png", b"picture", "image/png")
    for kind in (bytes, bytearray, memoryview, BytesIO):
        assert read_upload(kind(b"picture")) == UploadFile("file", b"picture")
        assert read_upload(kind(b"picture"), "b.gif") == UploadFile(
            "b.gif", b"picture", "image/gif"
        )
    assert read_upload(tmp_path / "a.png", "x/c.txt").file_name == "c.txt"
    with TemporaryFile() as unnamed:
        assert read_upload(unnamed).file_name == "file"


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    """A text file object has no bytes to upload."""
    with pytest.raises(TypeError, match="open for bytes, as with 'rb'; it gave str"):
        read_upload(StringIO("text"))  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform != "linux", reason="the name is no name on other systems")
def test_an_undecodable_file_name_becomes_text(tmp_path: Path) -> None:
    """Upload and event have the same name, without lone surrogates."""
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    with open(path, "wb") as file:  # noqa: PTH123  # a path of bytes
        file.write(b"x")
    with open(path, "rb") as file:  # noqa: PTH123  # a path of bytes
        calls = [read_upload(os.fsdecode(path)), read_upload(file), read_upload(b"x", "\ud800.txt")]
    assert [call.file_name for call in calls] == ["caf\ufffd.txt", "caf\ufffd.txt", "\ufffd.txt"]
    assert share_command(calls[0], UploadedFile("f-1")).file_name == calls[0].file_name


def test_both_drivers_have_the_same_methods() -> None:
    """Only `close` differs, which has another name if awaited, and calls of the scheduler."""
    blocking, asynchronous = (
        {name for name in dir(cls) if not name.startswith("_")} for cls in (threads.Chat, aio.Chat)
    )
    assert blocking - asynchronous == {"close"}
    assert asynchronous - blocking == {
        *("aclose", "closing", "deadline", "is_finished", "receive_safely")
    }


def test_inspect_is_the_same_in_both_drivers() -> None:
    """`inspect` passes the client to the function, in both drivers without waiting."""

    async def play() -> object:
        chat = aio.Chat(ScriptedClient(), never)
        return chat.inspect(lambda client: client.health(0.0).link), chat.inspect(bool)

    with threads.Chat(ScriptedClient(), replying) as chat:
        assert chat.inspect(lambda client: client.health(0.0).link) == "live"
    assert asyncio.run(play()) == ("live", True)


async def never(_request: object) -> Any:
    raise AssertionError("nothing is to be sent")
