"""Files up and down, and photos."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm._client.http_api import METHODS
from chatfsm.api import UploadFile
from chatfsm.simulator.multipart import FilePart, parse_upload
from chatfsm.transport import HttpReply, HttpRequest
from tests.simulator.center.office import PHOTO, Office

FORM = "multipart/form-data; boundary=XX"


def body(*parts: tuple[str, bytes], boundary: str = "XX") -> bytes:
    """Parts of a header and a content each."""
    mark = f"--{boundary}\r\n".encode()
    written = b"".join(
        mark + head.encode() + b"\r\n\r\n" + content + b"\r\n" for head, content in parts
    )
    return written + f"--{boundary}--\r\n".encode()


def a_file(name: str = "a.txt", content: bytes = b"abc", kind: str = "text/plain") -> Any:
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    return f"{head}\r\nContent-Type: {kind}", content


def upload(office: Office, content: bytes = b"abc", **how: Any) -> str:
    headers = {"Content-Type": FORM}
    found: str = office.asks(
        "POST", "files", body(a_file(content=content)), headers=headers, **how
    )["file_id"]
    return found


def download(office: Office, chat_id: str, path: str, **how: Any) -> HttpReply:
    reply = office.ask("GET", f"chats/{chat_id}/{path}", tenant=None, **how)
    assert reply is not None
    return reply


def test_a_file_comes_back_as_it_went() -> None:
    """With its type, without the tenant's domain, and to its owner alone."""
    office = Office()
    chat_id, other = office.opens(), office.opens(client="bert")
    file_id = upload(office, b"\r\n--X\r\n\x00")
    reply = download(office, chat_id, f"files/{file_id}")
    assert (reply.status, reply.body) == (200, b"\r\n--X\r\n\x00")
    assert reply.headers["content-type"] == "text/plain"
    assert download(office, other, f"files/{file_id}", client="bert").status == 404
    assert download(office, chat_id, f"files/{file_id}", client="bert").status == 404


def test_what_the_tenants_people_share_can_be_had() -> None:
    """By every customer of the tenant; what nobody has is refused with 5502."""
    office = Office()
    chat_id = office.opens()
    assert download(office, chat_id, "files/menu").body == b"soup"
    assert office.refused("GET", f"chats/{chat_id}/files/other", tenant=None) == (404, "5502")


def test_photos_of_agents() -> None:
    """However the id is spelled; who has none is refused with 5502."""
    office = Office()
    chat_id = office.opens()
    reply = download(office, chat_id, "profilephotos/a1")
    assert (reply.body, reply.headers["content-type"]) == (PHOTO, "image/png")
    for party in ("A2", "nobody"):
        path = f"chats/{chat_id}/profilephotos/{party}"
        assert office.refused("GET", path, tenant=None) == (404, "5502")


def test_a_download_needs_a_chat() -> None:
    """The id of a chat is enough, as for `<img>`; wrong credentials and no chat are refused."""
    office = Office()
    chat_id = office.opens()
    path = f"chats/{chat_id}/files/menu"
    bare = {"Authorization": ""}
    reply = office.ask("GET", path, tenant=None, headers=bare)
    assert reply is not None
    assert (reply.status, reply.body) == (200, b"soup")
    assert office.refused("GET", path, tenant=None, app="x") == (403, "3000")
    for headers in (None, bare):
        found = office.refused("GET", "chats/none/files/menu", tenant=None, headers=headers)
        assert found == ((404, "5005") if headers is None else (403, "2000"))


def test_images_are_loaded_without_a_header() -> None:
    """Photos of agents and the icon of the chat, by the id of the chat."""
    office = Office()
    chat_id = office.opens()
    for path in ("profilephotos/A1", "chaticon"):
        reply = download(office, chat_id, path, headers={"Authorization": ""})
        assert (reply.body, reply.headers["content-type"]) == (PHOTO, "image/png")
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_a_file_is_loaded_by_its_id_alone() -> None:
    """As the Android client does, outside the API; an unknown id is refused with 5502."""
    office = Office()
    for file_id, content in ((upload(office), b"abc"), ("menu", b"soup"), ("none", b"5502")):
        url = f"https://any.example/clientweb/file/{file_id}"
        reply = office.center.handle(HttpRequest(9, "GET", url, (), b""), now=0.0)
        assert reply is not None
        assert content in reply.body
        assert reply.status == (404 if file_id == "none" else 200)


def test_what_was_uploaded_is_never_run_by_a_browser() -> None:
    """It is saved under its name, not shown, and its type is not guessed."""
    office = Office()
    chat_id = office.opens()
    page = body(a_file('ü "x".html', b"<script>", "text/html"))
    uploaded = office.asks("POST", "files", page, headers={"Content-Type": FORM})
    reply = download(office, chat_id, f"files/{uploaded['file_id']}")
    assert reply.headers["x-content-type-options"] == "nosniff"
    written = reply.headers["content-disposition"]
    assert written == "attachment; filename*=UTF-8''%C3%BC%20%22x%22.html"
    assert reply.headers["content-security-policy"].startswith("sandbox")


@pytest.mark.parametrize("name", ["file", "file-upload-input", "holiday.jpg", ""])
def test_the_part_with_a_file_name_is_the_file(name: str) -> None:
    """Shipped clients call the part as they like."""
    head = f'Content-Disposition: form-data; name="{name}"; filename="a.jpg"'
    parts = (('Content-Disposition: form-data; name="file"', b"no"), (head, b"yes"), a_file("b"))
    assert parse_upload(body(*parts), FORM).content == b"yes"


def test_a_browser_without_a_cookie_loads_what_it_uploaded() -> None:
    """Its uploads belong to no chat, so every chat of the tenant may load them."""
    office = Office()
    chat_id = office.opens(client="WebChat")
    file_id = upload(office, client="WebChat")
    for headers in (None, {"Authorization": ""}):
        reply = download(office, chat_id, f"files/{file_id}", client="WebChat", headers=headers)
        assert (reply.status, reply.body) == (200, b"abc")


def test_a_file_that_is_too_large() -> None:
    """It is refused with 5501, whether the file or all around it is too long."""
    office = Office(max_file=10)
    assert upload(office, b"x" * 10)
    headers = {"Content-Type": FORM}
    for content in (b"x" * 11, b"x" * 100_000):
        found = office.refused("POST", "files", body(a_file(content=content)), headers=headers)
        assert found == (400, "5501")


@pytest.mark.parametrize("settings", [{"max_files": 2}, {"max_stored_bytes": 6}])
def test_the_oldest_file_is_replaced(settings: dict[str, int]) -> None:
    """When there are too many, or too many bytes."""
    office = Office(**settings)
    chat_id = office.opens()
    ids = [upload(office) for _ in range(3)]
    found = [download(office, chat_id, f"files/{file_id}").status for file_id in ids]
    assert found == [404, 200, 200]


@pytest.mark.parametrize("name", ["a.txt", 'a "b".txt', "a\r\nb", "ü" * 20, "", "%25"])
def test_what_chatfsm_sends_is_understood(name: str) -> None:
    """Whatever the file is called."""
    call = UploadFile(name or "x", b"\r\n--\r\n", "image/png")
    content_type, written = METHODS[UploadFile].body(call)
    assert content_type
    assert parse_upload(written, content_type) == FilePart(name or "x", "image/png", b"\r\n--\r\n")


@pytest.mark.parametrize(
    "kind", ["application/octet-stream", "message/rfc822", "multipart/mixed; boundary=YY"]
)
@pytest.mark.parametrize("end", [b"", b"\r", b"\n", b"\r\n", b"\r\n--", b"\n--XX\n", b"--XX"])
def test_every_byte_of_a_file_is_kept(kind: str, end: bytes) -> None:
    """Whatever it is, also if it is an e-mail or holds what looks like a boundary."""
    content = bytes(range(256)) * 2 + b"\r\n\r\nx" + end
    found = parse_upload(body(a_file(content=content, kind=kind)), FORM)
    assert found == FilePart("a.txt", kind.partition(";")[0], content)


def test_a_type_that_is_none_is_no_header() -> None:
    """What is no type of a file is not sent back as one."""
    for kind in ("text", "text/html\x00", "te xt/html", "a" * 101 + "/b", ""):
        found = parse_upload(body(a_file(kind=kind)), FORM)
        assert found.content_type == "application/octet-stream"


def test_other_parts_are_passed_over() -> None:
    """And so is what stands before the first; a file needs neither name nor type."""
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
def test_an_upload_that_is_none(content_type: str, written: bytes) -> None:
    """It is refused with 5003."""
    found = Office().refused("POST", "files", written, headers={"Content-Type": content_type})
    assert found == (400, "5003")


@pytest.mark.parametrize("boundary", ['""', "X" * 10_000])
def test_a_boundary_has_a_bounded_length(boundary: str) -> None:
    """As RFC 2046 has it: no boundary, and one of thousands of characters, are refused."""
    with pytest.raises(ValueError, match="boundary"):
        parse_upload(b"", f"multipart/form-data; boundary={boundary}")
