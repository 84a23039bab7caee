"""A small client of the standard library alone that keeps all rules: it says two texts."""

from __future__ import annotations

import json
import os
import time
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

URL, TENANT = os.environ["CHATFSM_URL"], os.environ["CHATFSM_TENANT"]
APP_ID, CLIENT_ID = os.environ["CHATFSM_APP_ID"], os.environ["CHATFSM_CLIENT_ID"]
HEADERS = {
    "Authorization": f'MOBILE-API-140-327-PLAIN appId="{APP_ID}", clientId="{CLIENT_ID}"',
    "Content-Type": "application/json; charset=UTF-8",
    "Cache-Control": "no-cache",
}


def call(path: str, body: object = None) -> Any:
    connection = HTTPConnection(urlsplit(URL).netloc, timeout=30)
    method, data = ("GET", None) if body is None else ("POST", json.dumps(body))
    query = f"tenantUrl={TENANT}&_={time.time_ns()}"  # no cache has an answer to this
    connection.request(method, f"/clientweb/api/v2/{path}?{query}", data, HEADERS)
    with connection.getresponse() as reply:
        text = reply.read()
    connection.close()
    if reply.status != HTTPStatus.OK:
        raise SystemExit(f"{method} {path}: {reply.status}")
    return json.loads(text or b"{}")


def post(chat: str, *events: dict[str, object]) -> None:
    call(f"chats/{chat}/events", {"events": events})


def main() -> None:
    texts = iter(["Hello.", "bye"])
    chat, number, is_over = call("chats", {})["chat_id"], 1, False
    while not is_over:
        events = call(f"chats/{chat}/events")["events"]
        is_over = any(event["event"] == "chat_session_ended" for event in events)
        for event in events:
            if event["event"] != "chat_session_message":
                continue
            print(event["msg"])
            if not is_over:
                receipt = {"event": "chat_session_message_read", "ref_msg_id": event["msg_id"]}
                text, number = next(texts, ""), number + 2
                said = {"event": "chat_session_message", "msg": text, "msg_id": f"{chat}:{number}"}
                post(chat, receipt, *([said] if text else []))


main()
