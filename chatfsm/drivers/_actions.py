"""Actions: methods and properties that the chats of both drivers have, and what they need."""

from __future__ import annotations

import mimetypes
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path, PurePath
from typing import BinaryIO, Final, Generic, Literal, TypeVar

from chatfsm import commands as c
from chatfsm._client.client import ChatClient
from chatfsm.api import LARGEST_FILE, Resume, UploadedFile, UploadFile
from chatfsm.drivers._core import DriverCore
from chatfsm.drivers._reported import (
    reported_forms,
    reported_outcome,
    reported_parties,
    reported_state,
)
from chatfsm.drivers._stores import ChatInStore, ChatStore
from chatfsm.errors import LocalProtocolError
from chatfsm.models import ChatMessage, Form, Outcome, Party, SharedFile

__all__ = ["ChatActions", "UploadSource", "file_id_of", "read_upload", "share_command"]

UploadSource = str | PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A file to upload: its path, its content, or a file object that is open for bytes."""
_NO_NAME: Final = "file"

Inspected = TypeVar("Inspected")
Done = TypeVar("Done")
MsgId = TypeVar("MsgId")


class ChatActions(ABC, Generic[Done, MsgId]):
    """Methods of a chat that send commands, and properties that show what the app has received.

    `Done` and `MsgId` are None and str in a blocking driver, and coroutines of these in an
    asynchronous one. Each method raises `LocalProtocolError` if its command is not allowed now.
    """

    _store: ChatStore | None
    """Store to close at the end of the chat."""

    @property
    def key(self) -> str | None:
        """Key of the chat in its store; None without a store of many chats."""
        return self._store.key if isinstance(self._store, ChatInStore) else None

    @abstractmethod
    def send(self, command: c.Command | Resume) -> Done:
        """Send any command."""

    @abstractmethod
    def _send_message(self, command: c.SendText | c.SendFile) -> MsgId:
        """Send a message, and return its msg_id."""

    @abstractmethod
    def _read(self, reader: Callable[[DriverCore], Inspected]) -> Inspected:
        """Return what `reader` finds while nothing changes the core."""

    def send_text(
        self,
        text: str,
        *,
        html: str | None = None,
        msg_id: str | None = None,
        directive_id: str | None = None,
    ) -> MsgId:
        """Send a text message, and return its msg_id: the given one, or the session's next.

        `html` is sent beside the plain text. `directive_id` is that of the message that this one
        answers.
        """
        return self._send_message(c.SendText(text, html, msg_id=msg_id, directive_id=directive_id))

    def start_typing(self, draft: str | None = None) -> Done:
        """Report a key press. Call it for each: the session sends an event only now and then."""
        return self.send(c.StartTyping(draft))

    def stop_typing(self) -> Done:
        """Report that the customer has stopped typing."""
        return self.send(c.StopTyping())

    def submit_form(self, form: Form | str, answers: Mapping[str, object]) -> Done:
        """Answer a form, given as a `Form` or by its request_id."""
        if isinstance(form, Form):
            return self.send(c.SubmitForm(form.request_id, answers, secure=form.secure))
        return self.send(c.SubmitForm(form, answers))

    def cancel_form(self, form: Form | str) -> Done:
        """Refuse a form, given as a `Form` or by its request_id."""
        if isinstance(form, Form):
            return self.send(c.CancelForm(form.request_id, secure=form.secure))
        return self.send(c.CancelForm(form))

    def mark_delivered(self, message: ChatMessage | SharedFile | str) -> Done:
        """Confirm to the server that a message, or the one of a msg_id, was delivered (v2)."""
        return self.send(c.MarkDelivered(_msg_id_of(message)))

    def mark_read(self, message: ChatMessage | SharedFile | str) -> Done:
        """Confirm to the server that a message, or the one of a msg_id, was read (v2)."""
        return self.send(c.MarkRead(_msg_id_of(message)))

    def disconnect(self) -> Done:
        """End the conversation; the scenario keeps the chat, and may show a survey."""
        return self.send(c.Disconnect())

    def end(self) -> Done:
        """Ask the server to end the chat; `Terminated` follows among the effects."""
        return self.send(c.End())

    def resume(self, app_id: str | None = None, client_id: str | None = None) -> Done:
        """Go on after `AuthorizationFailed`, with new credentials if given."""
        return self.send(Resume(app_id, client_id))

    def inspect(self, reader: Callable[[ChatClient], Inspected]) -> Inspected:
        """Return what `reader` finds in the client while nothing changes it.

        In a blocking driver other threads change the client; in an asynchronous one it changes
        only while the app awaits something, so that `client` may be read as well. Nothing is
        awaited here in either.
        """
        return self._read(lambda core: reader(core.client))

    @property
    def state(self) -> str | None:
        """State of the chat by the effects that the app has received; None before there is one.

        `client.session.state` may be ahead of it, by the effects that wait for the app.
        """
        return self._read(reported_state)

    @property
    def unhandled(self) -> int:
        """Number of effects that wait for the app, with the one that it has in hand."""
        return self._read(lambda core: len(core.pending))

    @property
    def outcome(self) -> Outcome | None:
        """Outcome of the chat; None until the app has received `Terminated`."""
        return self._read(reported_outcome)

    @property
    def parties(self) -> tuple[Party, ...]:
        """Parties in the chat by the effects that the app has received, with their latest names."""
        return self._read(reported_parties)

    @property
    def forms(self) -> tuple[Form, ...]:
        """Open forms by the effects that the app has received."""
        return self._read(reported_forms)


def _msg_id_of(message: ChatMessage | SharedFile | str) -> str:
    msg_id = message if isinstance(message, str) else message.msg_id
    if msg_id is None:
        raise LocalProtocolError("cannot send a receipt for a message that has no msg_id")
    return msg_id


def read_upload(source: UploadSource, file_name: str | None = None) -> UploadFile:
    """Return the request that uploads a file, given by its path, its content or as a file object.

    `file_name`: None: that of the path or of the file object, otherwise "file". Raises OSError if
    the file cannot be read, TypeError if it is a text file, `LocalProtocolError` if it is larger
    than `LARGEST_FILE` bytes.
    """
    name: object = file_name
    if isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
    elif isinstance(source, str | PathLike):
        path = Path(source)
        name = name or path.name
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    else:
        name = name or getattr(source, "name", None)  # a number, if opened by a descriptor
        found: object = source.read(LARGEST_FILE + 1)
        if not isinstance(found, bytes):
            kind = type(found).__name__
            raise TypeError(f"the file object must be open for bytes, as with 'rb'; it gave {kind}")
        content = found
    file_name = _base_name(name) or _NO_NAME
    if len(content) > LARGEST_FILE:
        raise LocalProtocolError(
            f"cannot upload {file_name}: a file must have {LARGEST_FILE} bytes or fewer"
        )
    content_type, packed_with = mimetypes.guess_type(file_name)
    if content_type is None or packed_with is not None:
        content_type = "application/octet-stream"
    return UploadFile(file_name, content, content_type)


def _base_name(name: object) -> str:
    """Return the last part of a file name; the system may allow bytes in it that are no text."""
    if not isinstance(name, str | bytes):
        return ""
    text = os.fsdecode(name).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return PurePath(text).name


def share_command(request: UploadFile, uploaded: UploadedFile) -> c.SendFile:
    """Return the command that shares an uploaded file."""
    file_type: Literal["image", "attachment"]
    file_type = "image" if request.content_type.startswith("image/") else "attachment"
    return c.SendFile(uploaded.file_id, file_type, uploaded.file_name or request.file_name)


def file_id_of(file: SharedFile | str) -> str:
    """Return the id to request a file by. Raises `LocalProtocolError` if it has only an address."""
    file_id = file if isinstance(file, str) else file.file_id
    if file_id is None:
        raise LocalProtocolError("cannot download the file: it was shared by its address")
    return file_id
