"""The friendly words: what an app says to a chat, and the commands that they mean."""

from __future__ import annotations

import mimetypes
from abc import ABC, abstractmethod
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Generic, Literal, TypeVar

from chatfsm.conversation.calls import LARGEST_FILE, Resume, UploadFile
from chatfsm.conversation.replies import UploadedFile
from chatfsm.errors import LocalProtocolError
from chatfsm.protocol import commands as c
from chatfsm.session.values import ChatMessage, Form, SharedFile

__all__ = ["Words", "file_id_of", "sharing", "upload_of"]

Done = TypeVar("Done")
"""What a word returns: nothing, or something to await."""


class Words(ABC, Generic[Done]):
    """The words that order something, whichever driver hears them.

    Each raises `LocalProtocolError`, in the place where it is said, for what is not allowed now.
    """

    @abstractmethod
    def order(self, command: c.Command | Resume) -> Done:
        """Order anything at all."""

    def say(self, text: str, *, html: str | None = None) -> Done:
        """Say something; `html` is sent beside the plain text where given."""
        return self.order(c.SendText(text, html))

    def typing(self, draft: str | None = None) -> Done:
        """A key was pressed; call it for each, the session tells the server now and then."""
        return self.order(c.StartTyping(draft))

    def stop_typing(self) -> Done:
        """Nothing is being typed any more."""
        return self.order(c.StopTyping())

    def submit(self, form: Form | str, answers: Mapping[str, object]) -> Done:
        """Answer a form, given as it was told or by its request's id."""
        if isinstance(form, Form):
            return self.order(c.SubmitForm(form.request_id, answers, secure=form.secure))
        return self.order(c.SubmitForm(form, answers))

    def cancel(self, form: Form | str) -> Done:
        """Refuse a form, given as it was told or by its request's id."""
        if isinstance(form, Form):
            return self.order(c.CancelForm(form.request_id, secure=form.secure))
        return self.order(c.CancelForm(form))

    def received(self, message: ChatMessage | SharedFile | str) -> Done:
        """Tell the server that a message is here (v2)."""
        return self.order(c.MarkDelivered(_msg_id_of(message)))

    def read(self, message: ChatMessage | SharedFile | str) -> Done:
        """Tell the server that a message was read (v2)."""
        return self.order(c.MarkRead(_msg_id_of(message)))

    def disconnect(self) -> Done:
        """End the conversation; the scenario keeps the chat, and may show a survey."""
        return self.order(c.Disconnect())

    def end(self) -> Done:
        """End the chat; the server's word that it has ended comes among the effects."""
        return self.order(c.End())

    def resume(self, app_id: str | None = None, client_id: str | None = None) -> Done:
        """Go on after the credentials were refused, with others where they are given."""
        return self.order(Resume(app_id, client_id))


def _msg_id_of(message: ChatMessage | SharedFile | str) -> str:
    msg_id = message if isinstance(message, str) else message.msg_id
    if msg_id is None:
        raise LocalProtocolError("cannot tell of a message that has no id")
    return msg_id


def upload_of(path: str | PathLike[str]) -> UploadFile:
    """The call that brings a file to the server.

    Raises OSError where it cannot be read, `LocalProtocolError` where the server takes none so
    large.
    """
    path = Path(path)
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise LocalProtocolError(f"cannot upload more than {LARGEST_FILE} bytes in a file")
    kind, packed_with = mimetypes.guess_type(path.name)
    if kind is None or packed_with is not None:
        kind = "application/octet-stream"
    return UploadFile(path.name, content, kind)


def sharing(call: UploadFile, uploaded: UploadedFile) -> c.SendFile:
    """The command that shares a file which was uploaded."""
    file_type: Literal["image", "attachment"]
    file_type = "image" if call.content_type.startswith("image/") else "attachment"
    return c.SendFile(uploaded.file_id, file_type, uploaded.file_name or call.file_name)


def file_id_of(file: SharedFile | str) -> str:
    """What to ask the server for."""
    return file if isinstance(file, str) else file.file_id
