"""HAR 1.2: chats in the network log of a browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatfsm import events as e
from chatfsm.errors import UnreadableLogError
from chatfsm.replay import har, open_logs, records
from chatfsm.replay.formats import Record

Log = Callable[..., Path]
NOON = 1_767_268_800.0
API = "https://user:secret@chat.example/clientweb/api/v1"
CHAT = f"{API}/chats/C1"
STATUS = {"event": "chat_session_status", "state": "connected"}
HELLO = {"event": "chat_session_message", "msg": "hello", "msg_id": "1"}
ANSWER = {"event": "chat_session_message", "msg": "hi", "msg_id": "2", "party_id": "A"}
ENDED = {"event": "chat_session_ended"}


def envelope(*events: Any) -> str:
    return json.dumps({"events": events})


def entry(  # noqa: PLR0913, PLR0917  # the parts of an exchange
    second: float = 0,
    took: float = 1,
    method: str = "GET",
    url: str = f"{CHAT}/events",
    sent: str | None = None,
    reply: str | None = None,
    status: int = 200,
    **content: Any,
) -> dict[str, Any]:
    """A HAR entry that starts `second` seconds after noon and takes `took` seconds."""
    headers = [{"name": "Authorization", "value": 'appId="a secret"'}]
    request = {"method": method, "url": f"{url}?tenantUrl=secret", "headers": headers}
    if sent is not None:
        request["postData"] = {"mimeType": "application/json", "text": sent}
    body = {"size": len(reply or ""), **({} if reply is None else {"text": reply}), **content}
    return {
        "startedDateTime": f"2026-01-01T12:00:{second:06.3f}Z",
        "time": took * 1000,
        "request": {**request, "cookies": [{"name": "x", "value": "secret"}]},
        "response": {"status": status, "headers": headers, "content": body},
    }


def har_file(*entries: Any) -> dict[str, Any]:
    return {"log": {"version": "1.2", "creator": {"name": "x"}, "pages": [], "entries": entries}}


def read(log: Log, *entries: Any, indent: int | None = 2) -> tuple[list[Record], list[str]]:
    (source,) = open_logs(log("a.har", json.dumps(har_file(*entries), indent=indent)))
    return list(records(source)), source.notes


def briefly(found: list[Record]) -> list[tuple[str | None, Any, int, float | None]]:
    return [(each.chat_id, each.raw, each.place, each.received_at) for each in found]


@pytest.mark.parametrize("indent", [None, 2])
def test_both_directions_are_read(log: Log, indent: int | None) -> None:
    """Events of the customer get the customer's party_id."""
    found, notes = read(
        log,
        entry(0, 1, "POST", f"{CHAT}/events", envelope(HELLO), envelope()),
        entry(1, 2, reply=envelope(STATUS, ANSWER)),
        indent=indent,
    )
    assert briefly(found) == [
        ("C1", {**HELLO, "party_id": "C1"}, 1, NOON + 1),
        ("C1", STATUS, 2, NOON + 3),
        ("C1", ANSWER, 2, NOON + 3),
    ]
    assert found[0].where.endswith("a.har: entry 1")
    assert notes == []


def test_exchanges_are_in_the_order_of_their_completion(log: Log) -> None:
    """A poll is answered long after it was sent."""
    found, _ = read(
        log,
        entry(0, 20, reply=envelope(ENDED)),
        entry(5, 1, "POST", f"{CHAT}/events", envelope(HELLO), ""),
    )
    assert [each.place for each in found] == [2, 1]


def test_the_reply_to_a_request_for_a_chat_has_its_state(log: Log) -> None:
    """The reply gives a status event, the request the initial message."""
    reply = json.dumps({"chat_id": "C1", "state": "queued", "ewt": "5"})
    sent = json.dumps({"parameters": {}, "initial_message": HELLO})
    found, _ = read(log, entry(0, 1, "POST", f"{API}/chats", sent, reply))
    assert [each.raw for each in found] == [
        {"event": "chat_session_status", "state": "queued", "ewt": "5"},
        {**HELLO, "party_id": "C1"},
    ]


@pytest.mark.parametrize(
    "reply", ["", "[]", "{", '{"state": 5}', '{"state": "queued", "chat_id": []}']
)
def test_another_reply_to_it_gives_no_event(log: Log, reply: str) -> None:
    """A reply without a state gives no event."""
    assert read(log, entry(0, 1, "POST", f"{API}/chats", "{}", reply))[0] == []


def test_the_reply_about_an_active_chat_has_its_state(log: Log) -> None:
    """The reply about an active chat gives a status event too."""
    reply = json.dumps({"chat_id": "C1", "state": "queued"})
    found, _ = read(log, entry(url=f"{API}/chats/active", reply=reply))
    assert [each.chat_id for each in found] == ["C1"]


def test_a_history_adds_only_new_events(log: Log) -> None:
    """Events that were reported before are not reported again."""
    own = {**HELLO, "party_id": "c1"}
    found, _ = read(
        log,
        entry(0, 1, reply=envelope(STATUS, ANSWER)),
        entry(2, 1, url=f"{CHAT}/history", reply=envelope(STATUS, ANSWER, own)),
        entry(4, 1, url=f"{CHAT}/history", reply=envelope(STATUS, ANSWER, own, ANSWER)),
    )
    assert [each.raw for each in found] == [STATUS, ANSWER, own, ANSWER]


def test_a_body_may_be_base64(log: Log) -> None:
    """Browsers save bodies that they do not take for text as base64."""
    text = base64.b64encode(envelope({**ANSWER, "msg": "é"}).encode()).decode()
    (record,), _ = read(log, entry(reply=text, encoding="base64"))
    assert isinstance(record.event, e.Message)
    assert record.event.msg == "é"


@pytest.mark.parametrize("reply", ["%%%", base64.b64encode(b"\xff\xfe").decode()])
def test_a_body_of_invalid_base64_is_malformed(log: Log, reply: str) -> None:
    """A malformed body is reported with its entry."""
    (record,), _ = read(log, entry(reply=reply, encoding="base64"))
    assert isinstance(record.event, e.Malformed)
    assert record.event.why == "the body is not base64 of a text"


@pytest.mark.parametrize("reply", ["{", '{"events": 5', '[{"v": 1, "journal": {}}]'])
def test_a_body_of_invalid_json_is_malformed(log: Log, reply: str) -> None:
    """The other entries are read."""
    found, _ = read(log, entry(reply=reply), entry(2, reply=envelope(ENDED)))
    assert isinstance(found[0].event, e.Malformed)
    assert found[-1].event == e.Ended()


def test_entries_without_a_body_are_counted(log: Log) -> None:
    """A browser may save a HAR without bodies."""
    empty_post = entry(3, 1, "POST", f"{CHAT}/events", envelope(HELLO), status=200)
    lost_post = entry(4, 1, "POST", f"{CHAT}/events", None, "")
    lost_reply = entry(5, 1, "POST", f"{CHAT}/events", envelope(ANSWER), None, size=99)
    _, notes = read(log, entry(), entry(2, size=50), empty_post, lost_post, lost_reply)
    assert notes == ["4 entries without a body"]
    assert read(log, entry())[1] == ["1 entry without a body"]


@pytest.mark.parametrize(
    "other",
    [
        entry(method="OPTIONS"),
        entry(status=204),
        entry(status=304),
        entry(status=0),
        entry(status=404, reply='{"error_code": "5005"}'),
        entry(1, 1, "POST", f"{CHAT}/events", envelope(HELLO), "{}", 403),
        entry(url=f"{CHAT}/files/7", reply="x"),
        entry(url=f"{CHAT}/casehistory", reply=envelope(ENDED)),
        entry(url=f"{API}/iceservers", reply=envelope(ENDED)),
        entry(url="https://chat.example/other/chats/C1/events", reply=envelope(ENDED)),
        entry(url="http://[bad/clientweb/api/v1/chats/C1/events", reply=envelope(ENDED)),
        {"request": {"url": 5}},
        {"request": {"method": "GET", "url": f"{CHAT}/events"}},
        {},
        5,
    ],
)
def test_other_entries_give_no_event(log: Log, other: object) -> None:
    """Other entries give neither an event nor a missing body."""
    found, notes = read(log, other, entry(reply=envelope(ENDED)))
    assert [each.event for each in found] == [e.Ended()]
    assert notes == []


@pytest.mark.parametrize("path", ["/chats/C%2F1/events", "//chats//C%2F1//events/"])
def test_a_path_is_read_as_servers_do(log: Log, path: str) -> None:
    """Escapes are decoded, and double slashes are one."""
    found, _ = read(log, entry(url=API + path, reply=envelope(ENDED)))
    assert [each.chat_id for each in found] == ["C/1"]


@pytest.mark.parametrize("took", [-1, None, True, "x", float("inf")])
def test_an_invalid_duration_counts_as_0(log: Log, took: Any) -> None:
    """An aborted exchange has the duration -1."""
    broken = entry(reply=envelope(ENDED))
    broken["time"] = took
    (record,), _ = read(log, broken)
    assert record.received_at == NOON


def test_a_start_that_cannot_be_read_is_a_finding(log: Log, replays: Callable[..., Any]) -> None:
    """The entry keeps its position in the file."""
    entries = [entry(second, 1, reply=envelope(STATUS)) for second in range(3)]
    entries[1]["startedDateTime"] = "soon"
    del entries[2]["startedDateTime"]
    path = log("a.har", json.dumps(har_file(*entries)))
    assert replays("--summary", path).totals["findings"]["anomalies"] == 2


def test_headers_and_credentials_are_not_printed(log: Log, replays: Callable[..., Any]) -> None:
    """Headers and credentials are in no output and no error."""
    entries = [entry(reply="{"), entry(1, reply="%", encoding="base64"), entry(2)]
    path = log("a.har", json.dumps(har_file(*entries)))
    for words in ((), ("--json",), ("--summary",), ("--strict",)):
        result = replays(*words, path)
        assert "secret" not in result.out + result.err
    assert "secret" not in repr([record.raw for record in records(open_logs(path)[0])])


def test_a_har_file_without_chats_is_refused(log: Log) -> None:
    """A HAR of another site is refused."""
    with pytest.raises(UnreadableLogError, match="a HAR file without entries on /clientweb/api/"):
        read(log, entry(url="https://shop.example/"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"log": {"entries": [', "a HAR file that is damaged: not JSON"),
        ('{"log": {"entries": 5}}', "neither a HAR file nor a log"),
        ('{"log": {}, "x": [1]}', "neither a HAR file nor a log"),
    ],
)
def test_a_damaged_har_file_is_refused(log: Log, text: str, why: str) -> None:
    """The error says that the HAR is damaged or not a HAR."""
    with pytest.raises(UnreadableLogError, match=why):
        list(records(open_logs(log("a.har", text))[0]))


def test_a_har_file_is_bounded(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes and values are bounded; commas in texts do not count."""
    monkeypatch.setattr(har, "MAX_VALUES", 60)
    found, _ = read(log, entry(reply=envelope({**ANSWER, "msg": "," * 1_000})))
    assert len(found) == 1
    with pytest.raises(UnreadableLogError, match="more than 60 values"):
        read(log, *[entry(reply=envelope(ENDED))] * 20)
    monkeypatch.setattr(har, "_MAX_BYTES", 100)
    with pytest.raises(UnreadableLogError, match="a HAR file of more than 0 MiB"):
        read(log, entry(reply=envelope(ENDED)))


def test_deep_nesting_is_malformed(log: Log) -> None:
    """Deep nesting is malformed, as in any log."""
    deep = '{"event": "chat_session_message", "x": ' + "[" * 700 + "]" * 700 + "}"
    found, _ = read(log, entry(reply=f'{{"events": [{deep}]}}'), entry(2, reply=envelope(ENDED)))
    assert [type(each.event) for each in found] == [e.Malformed, e.Ended]
    with pytest.raises(UnreadableLogError, match="damaged: not read: nested too deep"):
        list(records(open_logs(log("b.har", '{"log": {"x": ' + "[" * 100_000))[0]))
