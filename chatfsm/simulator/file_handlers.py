"""Methods of the API for files and images: uploads, downloads, photos and icons."""

from __future__ import annotations

from typing import Final

from chatfsm.simulator.http_api import ApiCall, RefusedError, file_reply, find_chat, json_reply
from chatfsm.simulator.multipart import parse_upload
from chatfsm.simulator.state import ApiClient, CenterState, StoredFile
from chatfsm.transport import HttpReply

__all__ = ["chat_icon", "download", "photo", "public_file", "upload"]

# Bytes of boundaries, headers and other fields beside the file.
_MULTIPART_OVERHEAD: Final = 64 * 1024
_DEFAULT_TYPE: Final = "application/octet-stream"
_IMAGE_TYPES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"<svg", "image/svg+xml"),
)
# The owner of what a browser without a cookie uploads, which every chat of the tenant may load.
_ANY_BROWSER: Final = "WebChat:"


def upload(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Keep an uploaded file. Raises `RefusedError` with 5501 if it is too large."""
    settings = state.settings
    if len(call.body) > settings.max_file + _MULTIPART_OVERHEAD:
        raise RefusedError("5501")
    try:
        part = parse_upload(call.body, call.headers.get("content-type", ""))
    except ValueError:
        raise RefusedError("5003") from None
    if len(part.content) > settings.max_file:
        raise RefusedError("5501")
    file_id = state.new_id("file")
    state.files[file_id] = StoredFile(client.key, part.file_name, part.content_type, part.content)
    state.stored_bytes += len(part.content)
    while len(state.files) > settings.max_files or state.stored_bytes > settings.max_stored_bytes:
        state.stored_bytes -= len(state.files.pop(next(iter(state.files))).content)
    return json_reply(call.id, {"file_id": file_id, "file_name": part.file_name})


def download(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Return a file that the client uploaded, or one that the tenant's agents share."""
    find_chat(state, call, client)
    wanted = call.path_args["subject"]
    own = state.files.get(wanted)
    if own is not None and own.owner in (client.key, (client.tenant.url, _ANY_BROWSER)):
        return file_reply(call.id, own.content, own.content_type, own.file_name)
    for file in client.tenant.files:
        if file.file_id == wanted:
            return file_reply(call.id, file.content, file.content_type, file.file_name)
    raise RefusedError("5502")


def public_file(state: CenterState, call: ApiCall, _client: ApiClient) -> HttpReply:
    """Return any file by its id alone, as the Android client loads it."""
    wanted = call.path_args["subject"]
    own = state.files.get(wanted)
    if own is not None:
        return file_reply(call.id, own.content, own.content_type, own.file_name)
    for tenant in state.tenants.values():
        for file in tenant.files:
            if file.file_id == wanted:
                return file_reply(call.id, file.content, file.content_type, file.file_name)
    raise RefusedError("5502")


def photo(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Return an agent's photo. Raises `RefusedError` with 5502 if there is none."""
    find_chat(state, call, client)
    agent = client.tenant.agent(call.path_args["subject"])
    return _image_reply(call, None if agent is None else agent.photo)


def chat_icon(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Return the tenant's icon. Raises `RefusedError` with 5502 if there is none."""
    find_chat(state, call, client)
    return _image_reply(call, client.tenant.icon)


def _image_reply(call: ApiCall, image: bytes | None) -> HttpReply:
    if image is None:
        raise RefusedError("5502")
    kind = next((kind for start, kind in _IMAGE_TYPES if image.startswith(start)), _DEFAULT_TYPE)
    return file_reply(call.id, image, kind)
