"""Uploads, downloads and photos."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm._client.http_api import METHODS
from chatfsm.api import UploadFile
from chatfsm.simulator.multipart import FilePart, parse_upload
from chatfsm.transport import HttpReply, HttpRequest
from tests.simulator.center.harness import PHOTO, CenterHarness

FORM = "multipart/form-data; boundary=XX"


def body(*parts: tuple[str, bytes], boundary: str = "XX") -> bytes:
    """Return a multipart body with a header and a content for each part."""
    mark = f"--{boundary}\r\n".encode()
    written = b"".join(
        mark + head.encode() + b"\r\n\r\n" + content + b"\r\n" for head, content in parts
    )
    return written + f"--{boundary}--\r\n".encode()


def a_file(name: str = "a.txt", content: bytes = b"abc", kind: str = "text/plain") -> Any:
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    return f"{head}\r\nContent-Type: {kind}", content


def upload(harness: CenterHarness, content: bytes = b"abc", **how: Any) -> str:
    headers = {"Content-Type": FORM}
    found: str = harness.request_json(
        "POST", "files", body(a_file(content=content)), headers=headers, **how
    )["file_id"]
    return found


def download(harness: CenterHarness, chat_id: str, path: str, **how: Any) -> HttpReply:
    reply = harness.request("GET", f"chats/{chat_id}/{path}", tenant=None, **how)
    assert reply is not None
    return reply


def test_a_file_comes_back_as_it_went() -> None:
    """The download has its type, needs no tenant, and is open to the uploading client alone."""
    harness = CenterHarness()
    chat_id, other = harness.open_chat(), harness.open_chat(client="bert")
    file_id = upload(harness, b"\r\n--X\r\n\x00")
    reply = download(harness, chat_id, f"files/{file_id}")
    assert (reply.status, reply.body) == (200, b"\r\n--X\r\n\x00")
    assert reply.headers["content-type"] == "text/plain"
    assert download(harness, other, f"files/{file_id}", client="bert").status == 404
    assert download(harness, chat_id, f"files/{file_id}", client="bert").status == 404


def test_files_of_the_tenant_can_be_downloaded() -> None:
    """Every customer of the tenant can download it; an unknown file is refused with 5502."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    assert download(harness, chat_id, "files/menu").body == b"soup"
    assert harness.refused("GET", f"chats/{chat_id}/files/other", tenant=None) == (404, "5502")


def test_photos_of_agents() -> None:
    """Each spelling of an agent's id works; an agent without a photo is refused with 5502."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    reply = download(harness, chat_id, "profilephotos/a1")
    assert (reply.body, reply.headers["content-type"]) == (PHOTO, "image/png")
    for party in ("A2", "nobody"):
        path = f"chats/{chat_id}/profilephotos/{party}"
        assert harness.refused("GET", path, tenant=None) == (404, "5502")


def test_a_download_needs_a_chat() -> None:
    """The id of a chat is enough, as `<img>` needs; wrong credentials or no chat are refused."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    path = f"chats/{chat_id}/files/menu"
    bare = {"Authorization": ""}
    reply = harness.request("GET", path, tenant=None, headers=bare)
    assert reply is not None
    assert (reply.status, reply.body) == (200, b"soup")
    assert harness.refused("GET", path, tenant=None, app="x") == (403, "3000")
    for headers in (None, bare):
        found = harness.refused("GET", "chats/none/files/menu", tenant=None, headers=headers)
        assert found == ((404, "5005") if headers is None else (403, "2000"))


def test_images_need_no_authorization_header() -> None:
    """Photos of agents and the icon of the chat are served by the id of the chat."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    for path in ("profilephotos/A1", "chaticon"):
        reply = download(harness, chat_id, path, headers={"Authorization": ""})
        assert (reply.body, reply.headers["content-type"]) == (PHOTO, "image/png")
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_a_file_is_downloaded_by_its_id_alone() -> None:
    """The Android client downloads outside the API; an unknown id is refused with 5502."""
    harness = CenterHarness()
    for file_id, content in ((upload(harness), b"abc"), ("menu", b"soup"), ("none", b"5502")):
        url = f"https://any.example/clientweb/file/{file_id}"
        reply = harness.center.handle(HttpRequest(9, "GET", url, (), b""), now=0.0)
        assert reply is not None
        assert content in reply.body
        assert reply.status == (404 if file_id == "none" else 200)


def test_a_browser_never_runs_an_upload() -> None:
    """A download is saved under its name, not shown, and browsers may not guess its type."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    page = body(a_file('ü "x".html', b"<script>", "text/html"))
    uploaded = harness.request_json("POST", "files", page, headers={"Content-Type": FORM})
    reply = download(harness, chat_id, f"files/{uploaded['file_id']}")
    assert reply.headers["x-content-type-options"] == "nosniff"
    written = reply.headers["content-disposition"]
    assert written == "attachment; filename*=UTF-8''%C3%BC%20%22x%22.html"
    assert reply.headers["content-security-policy"].startswith("sandbox")


@pytest.mark.parametrize("name", ["file", "file-upload-input", "holiday.jpg", ""])
def test_the_part_with_a_file_name_is_the_file(name: str) -> None:
    """Shipped clients use different names for the part."""
    head = f'Content-Disposition: form-data; name="{name}"; filename="a.jpg"'
    parts = (('Content-Disposition: form-data; name="file"', b"no"), (head, b"yes"), a_file("b"))
    assert parse_upload(body(*parts), FORM).content == b"yes"


def test_a_browser_without_a_cookie_downloads_its_upload() -> None:
    """Its uploads belong to no chat, so every chat of the tenant may download them."""
    harness = CenterHarness()
    chat_id = harness.open_chat(client="WebChat")
    file_id = upload(harness, client="WebChat")
    for headers in (None, {"Authorization": ""}):
        reply = download(harness, chat_id, f"files/{file_id}", client="WebChat", headers=headers)
        assert (reply.status, reply.body) == (200, b"abc")


def test_a_file_that_is_too_large_is_refused() -> None:
    """It is refused with 5501 if the file or the whole body is too long."""
    harness = CenterHarness(max_file=10)
    assert upload(harness, b"x" * 10)
    headers = {"Content-Type": FORM}
    for content in (b"x" * 11, b"x" * 100_000):
        found = harness.refused("POST", "files", body(a_file(content=content)), headers=headers)
        assert found == (400, "5501")


@pytest.mark.parametrize("settings", [{"max_files": 2}, {"max_stored_bytes": 6}])
def test_the_oldest_file_is_replaced(settings: dict[str, int]) -> None:
    """The limits are the number of files and the number of bytes."""
    harness = CenterHarness(**settings)
    chat_id = harness.open_chat()
    ids = [upload(harness) for _ in range(3)]
    found = [download(harness, chat_id, f"files/{file_id}").status for file_id in ids]
    assert found == [404, 200, 200]


@pytest.mark.parametrize("name", ["a.txt", 'a "b".txt', "a\r\nb", "ü" * 20, "", "%25"])
def test_uploads_of_the_client_are_accepted(name: str) -> None:
    """Uploads of the client are read back, whatever the file's name."""
    call = UploadFile(name or "x", b"\r\n--\r\n", "image/png")
    content_type, written = METHODS[UploadFile].body(call)
    assert content_type
    assert parse_upload(written, content_type) == FilePart(name or "x", "image/png", b"\r\n--\r\n")


@pytest.mark.parametrize(
    "kind", ["application/octet-stream", "message/rfc822", "multipart/mixed; boundary=YY"]
)
@pytest.mark.parametrize("end", [b"", b"\r", b"\n", b"\r\n", b"\r\n--", b"\n--XX\n", b"--XX"])
def test_every_byte_of_a_file_is_kept(kind: str, end: bytes) -> None:
    """Content of any kind is kept, such as an e-mail or bytes that look like a boundary."""
    content = bytes(range(256)) * 2 + b"\r\n\r\nx" + end
    found = parse_upload(body(a_file(content=content, kind=kind)), FORM)
    assert found == FilePart("a.txt", kind.partition(";")[0], content)


def test_an_invalid_content_type_is_not_sent_back() -> None:
    """An invalid content type of an upload is not sent back as a header."""
    for kind in ("text", "text/html\x00", "te xt/html", "a" * 101 + "/b", ""):
        found = parse_upload(body(a_file(kind=kind)), FORM)
        assert found.content_type == "application/octet-stream"


def test_other_parts_are_skipped() -> None:
    """The text before the first part is skipped too; a file needs neither name nor type."""
    parts = (('content-disposition: form-data; name="note"', b"x"), ("X: y", b""))
    written = body(*parts, ("CONTENT-DISPOSITION: form-data; name=file", b""))
    for start in (b"", b"hello\r\n"):
        found = parse_upload(start + written, 'Multipart/Form-Data; charset=x; boundary="XX"')
        assert found == FilePart("", "application/octet-stream", b"")


@pytest.mark.parametrize(
    ("content_type", "written"),
    [
        ("", body(a_file())),
        ("text/plain; boundary=XX", body(a_file())),
        ("multipart/form-data", body(a_file())),
        (FORM, b""),
        (FORM, b"--"),
        (FORM, b"--XX"),
        (FORM, b"x--XX\r\n"),
        (FORM, b"--XX--"),
        (FORM, body(a_file())[:-8]),
        (FORM, body(a_file()).replace(b"--XX\r\n", b"--XX", 1)),
        (FORM, body(a_file()).replace(b"\r\n\r\n", b"\r\n")),
        (FORM, body((f"X: {'y' * 9000}", b""), a_file())),
        (FORM, body(*[("X: y", b"")] * 16, a_file())),
        (FORM, body(("X: y", b""))),
    ],
)
def test_an_invalid_upload_is_refused(content_type: str, written: bytes) -> None:
    """A body that is not a multipart upload is refused with 5003."""
    found = CenterHarness().refused(
        "POST", "files", written, headers={"Content-Type": content_type}
    )
    assert found == (400, "5003")


@pytest.mark.parametrize("boundary", ['""', "X" * 10_000])
def test_a_boundary_has_a_bounded_length(boundary: str) -> None:
    """A missing boundary and one longer than RFC 2046 allows are refused."""
    with pytest.raises(ValueError, match="boundary"):
        parse_upload(b"", f"multipart/form-data; boundary={boundary}")
