"""A small client that uses one msg_id for all texts, and keeps polling after the end."""

from __future__ import annotations

import json
import sys
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

url, tenant, app_id, client_id = sys.argv[1:]
headers = {
    "Authorization": f"MOBILE-API-140-327-PLAIN appId={app_id}, clientId={client_id}",
    "Cache-Control": "no-cache",
}


def call(path: str, body: object = None) -> tuple[int, dict[str, object]]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    method, data = ("GET", None) if body is None else ("POST", json.dumps(body))
    query = f"tenantUrl={tenant}&_={time.time_ns()}"
    connection.request(method, f"/clientweb/api/v2/{path}?{query}", data, headers)
    with connection.getresponse() as reply:
        status, text = reply.status, reply.read()
    connection.close()
    return status, json.loads(text or b"{}")


chat = call("chats", {})[1]["chat_id"]
call(f"chats/{chat}/events")
for text in ("Hello.", "bye"):
    event = {"event": "chat_session_message", "msg": text, "msg_id": "1"}
    call(f"chats/{chat}/events", {"events": [event]})
while call(f"chats/{chat}/events")[0] == 200:
    pass
print("the chat is gone", file=sys.stderr)
