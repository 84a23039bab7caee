"""Files up and down, and photos."""

from __future__ import annotations

from typing import Final

from chatfsm.conversation.exchange import HttpReply
from chatfsm.simulator.asked import Asked
from chatfsm.simulator.desk import Caller, Desk, Upload
from chatfsm.simulator.errors import RefusedError
from chatfsm.simulator.finding import any_chat
from chatfsm.simulator.multipart import file_in
from chatfsm.simulator.replying import as_bytes, as_json

__all__ = ["download", "photo", "upload"]

# Boundaries, headers and other fields around the file itself.
_AROUND: Final = 64 * 1024
_OCTETS: Final = "application/octet-stream"
_IMAGES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"<svg", "image/svg+xml"),
)


def upload(desk: Desk, asked: Asked, caller: Caller) -> HttpReply:
    """Keep a file. Raises `RefusedError` with 5501 where it is too large."""
    settings = desk.settings
    if len(asked.body) > settings.max_file + _AROUND:
        raise RefusedError("5501")
    try:
        part = file_in(asked.body, asked.headers.get("content-type", ""))
    except ValueError:
        raise RefusedError("5003") from None
    if len(part.content) > settings.max_file:
        raise RefusedError("5501")
    file_id = desk.new_id("file")
    desk.files[file_id] = Upload(caller.key, part.file_name, part.content_type, part.content)
    desk.stored += len(part.content)
    while len(desk.files) > settings.max_files or desk.stored > settings.max_stored:
        desk.stored -= len(desk.files.pop(next(iter(desk.files))).content)
    return as_json(asked.id, {"file_id": file_id, "file_name": part.file_name})


def download(desk: Desk, asked: Asked, caller: Caller) -> HttpReply:
    """A file of the client's own, or one that the tenant's people may share."""
    any_chat(desk, asked, caller)
    wanted = asked.named["subject"]
    own = desk.files.get(wanted)
    if own is not None and own.owner == caller.key:
        return as_bytes(asked.id, own.content, own.content_type)
    for file in caller.tenant.files:
        if file.file_id == wanted:
            return as_bytes(asked.id, file.content, file.content_type)
    raise RefusedError("5502")


def photo(desk: Desk, asked: Asked, caller: Caller) -> HttpReply:
    """The photo of an agent. Raises `RefusedError` with 5502 where there is none."""
    any_chat(desk, asked, caller)
    agent = caller.tenant.agent(asked.named["subject"])
    if agent is None or agent.photo is None:
        raise RefusedError("5502")
    kind = next((kind for start, kind in _IMAGES if agent.photo.startswith(start)), _OCTETS)
    return as_bytes(asked.id, agent.photo, kind)
