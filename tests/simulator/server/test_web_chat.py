"""Chats of the web page: commands come by POST, and effects of a client go out as a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import define

from chatfsm._cli import simulate
from chatfsm.simulator.builtin_scenarios import FILE, SCENARIOS
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.network import Network
from chatfsm.simulator.server import web_chat
from chatfsm.simulator.server.server import SimulatorServer

Record = dict[str, Any]


@define
class Page:
    """A client that sends the requests of the page's scripts."""

    server: SimulatorServer

    def request(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = HTTPConnection(urlsplit(self.server.url).netloc, timeout=20)
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        return reply.status, content, {key.lower(): value for key, value in reply.getheaders()}

    def post(self, path: str, value: object, **headers: str) -> tuple[int, Any]:
        status, content, _ = self.request("POST", path, json.dumps(value).encode(), **headers)
        return status, json.loads(content)

    def open(self, app_id: str = "demo") -> str:
        status, value = self.post("/web/chats", {"app_id": app_id})
        assert status == 201
        return f"/web/chats/{value['chat']}"

    def records(
        self, chat: str, until: Callable[[Record], object], **headers: str
    ) -> Iterator[tuple[int, Record]]:
        """Yield the numbered records of the stream until one satisfies `until`."""
        connection = HTTPConnection(urlsplit(self.server.url).netloc, timeout=20)
        connection.request("GET", f"{chat}/effects", headers=headers)
        reply = connection.getresponse()
        assert reply.getheader("Content-Type") == "text/event-stream"
        number = -1
        for line in reply:
            name, _, text = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                number = int(text)
            elif name == "data" and number >= 0:
                yield number, json.loads(text)
                if until(json.loads(text)):
                    break
        connection.close()

    def follow(self, chat: str, until: Callable[[Record], object]) -> list[Record]:
        return [record for _, record in self.records(chat, until)]


def is_text(text: str) -> Callable[[Record], object]:
    return lambda record: record.get("message", {}).get("text") == text


def is_effect(name: str) -> Callable[[Record], object]:
    return lambda record: record.get("effect") == name


@contextmanager
def serving() -> Iterator[Page]:
    """A server whose agents are all free."""
    tenant = simulate.build_tenant(SCENARIOS["echo"])
    network = Network(ContactCenter([tenant]))
    pages = simulate.build_pages(tenant)
    with SimulatorServer(network, pages=pages, speed=20.0) as server:
        yield Page(server)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with serving() as page:
        yield page


def test_a_chat_is_what_a_client_reports(page: Page) -> None:
    """The records are the effects in order, with the page's own messages, up to the end."""
    chat = page.open()
    page.follow(chat, is_effect("message_received"))
    assert page.post(f"{chat}/commands", {"command": "send_text", "text": "Hi <b>"}) == (200, {})
    page.follow(chat, is_text("You said: Hi <b>"))
    assert page.post(f"{chat}/commands", {"command": "end"}) == (200, {})
    records = page.follow(chat, is_effect("terminated"))
    names = [record.get("effect") or record["command"] for record in records]
    steps = ["chat_opened", "party_added", "message_received", "send_text", "message_sent"]
    steps += ["message_received", "end", "terminated"]
    assert [name for name in names if name in steps] == steps
    [own] = [record for record in records if record.get("command") == "send_text"]
    [sent] = [record for record in records if record.get("effect") == "message_sent"]
    assert (own["text"], own["msg_id"]) == ("Hi <b>", sent["msg_id"])
    assert records[-1]["outcome"] == "ended"
    times = [record["at"] for record in records]
    assert times == sorted(times)


def test_a_broken_stream_can_be_resumed(page: Page) -> None:
    """A page that reconnects gets all records, or those after the last that it has."""
    chat = page.open()
    first = list(page.records(chat, is_effect("message_received")))
    assert list(page.records(chat, is_effect("message_received"))) == first
    last = {"Last-Event-ID": str(first[2][0])}
    assert list(page.records(chat, is_effect("message_received"), **last)) == first[3:]


def test_a_page_can_ask_for_its_chat(page: Page) -> None:
    """After a reload the reply is the app's id, or null without an error status."""
    status, content, _ = page.request("GET", page.open("plain"))
    assert (status, json.loads(content)) == (200, {"app_id": "plain"})
    status, content, _ = page.request("GET", "/web/chats/none")
    assert (status, json.loads(content)) == (200, {"app_id": None})


def test_answers_to_forms_are_in_no_record(page: Page) -> None:
    """They are sent to the center only."""
    chat = page.open()
    page.follow(chat, is_effect("message_received"))
    page.post(f"{chat}/commands", {"command": "send_text", "text": "secure form"})
    *_, opened = page.follow(chat, is_effect("form_opened"))
    answer = {"request_id": opened["form"]["request_id"], "data": {"pin": "heron-17"}}
    assert page.post(f"{chat}/commands", {"command": "submit_form", **answer})[0] == 200
    records = page.follow(chat, is_text("Thank you for your answer."))
    assert "heron-17" not in json.dumps(records)


def test_files_are_uploaded_and_downloaded(page: Page) -> None:
    """Uploads are shared, files of agents can be downloaded, and none is shown as a page."""
    chat = page.open()
    page.follow(chat, is_effect("message_received"))
    content = bytes(range(256)) * 100
    kind = {"Content-Type": "image/png"}
    assert page.request("POST", f"{chat}/files?name=a%20b.png", content, **kind)[0] == 200
    *_, own = page.follow(chat, lambda record: record.get("command") == "send_file")
    assert own["text"] == "a b.png"
    status, back, headers = page.request("GET", f"{chat}/files/{own['file_id']}")
    assert (status, back, headers["content-type"]) == (200, content, "image/png")
    status, back, headers = page.request("GET", f"{chat}/files/{FILE.file_id}")
    assert (status, back) == (200, FILE.content)
    assert headers["content-disposition"] == "attachment"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["content-type"] == "application/octet-stream"
    assert page.request("GET", f"{chat}/profilephotos/nobody")[0] == 204


@pytest.mark.parametrize(
    ("value", "status", "words"),
    [
        ({"command": "dance"}, 400, "command must be one of send_text, "),
        ([], 400, "command must be one of"),
        ({"command": ["end"]}, 400, "command must be one of"),
        ({"command": "send_text"}, 400, "text"),
        ({"command": "send_text", "text": 7}, 400, "text must be a string, not int"),
        ({"command": "mark_read", "msg_id": ""}, 400, "msg_id must be a non-empty string"),
        ({"command": "submit_form", "request_id": "7", "data": {}}, 409, "form '7'"),
    ],
)
def test_an_invalid_command_is_refused(page: Page, value: object, status: int, words: str) -> None:
    """The error has the reason; the chat goes on."""
    chat = page.open()
    page.follow(chat, is_effect("message_received"))
    found, answer = page.post(f"{chat}/commands", value)
    assert found == status
    assert words in answer["error"]
    assert page.post(f"{chat}/commands", {"command": "start_typing"}) == (200, {})


def test_other_requests_are_refused(page: Page) -> None:
    """Unknown chats and paths, invalid JSON and pages of another origin get an error."""
    chat = page.open()
    assert page.post("/web/chats/none/commands", {})[0] == 404
    assert page.post(f"{chat}/dance", {})[0] == 404
    assert page.request("POST", f"{chat}/commands", b"{")[0] == 400
    for wrong in ([], {}, {"app_id": 7}, {"app_id": 'a"b'}):
        assert page.post("/web/chats", wrong)[0] == 400
    elsewhere = {"Origin": "http://elsewhere.example"}
    assert page.post(f"{chat}/commands", {"command": "end"}, **elsewhere)[0] == 403
    status, _, headers = page.request("POST", "/web/chats", b"{}", Origin=page.server.url)
    assert (status, headers.get("access-control-allow-origin")) == (400, None)


def test_an_unknown_app_is_reported(page: Page) -> None:
    """The stream has the error that the client reports."""
    *_, failed = page.follow(page.open("nowhere"), is_effect("api_failed"))
    assert failed["request"] == "request_chat"
    assert "3000" in failed["error"]


def test_chats_and_records_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest chat is closed for a new one, and the oldest records of a chat are dropped."""
    monkeypatch.setattr(web_chat, "_MAX_CHATS", 2)
    monkeypatch.setattr(web_chat, "_MAX_RECORDS", 4)
    with serving() as page:
        first, second, third = (page.open() for _ in range(3))
        assert page.request("GET", f"{first}/effects")[0] == 204, "ends the stream"
        assert page.request("POST", f"{first}/commands")[0] == 404
        for chat in (second, third):
            page.follow(chat, is_effect("message_received"))
            records = list(page.records(chat, is_effect("message_received")))
            assert len(records) <= 4
            assert records[0][0] > 0


def test_closing_the_server_ends_the_streams() -> None:
    """The streams end at once, so that the page reconnects."""
    with serving() as page:
        records = page.records(page.open(), lambda _record: False)
        assert next(records)[1]["effect"] == "chat_opened"
    assert all(number for number, _ in records), "the stream ends"
