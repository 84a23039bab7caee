"""Generated chats that resemble real logs: the same seed gives the same items on every machine.

The shapes are those of PROTOCOL.md §2 and §3; names, ids and texts are invented. The mix of events
follows `tests/logs/`.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any, Final
from uuid import UUID

from attrs import frozen

__all__ = ["EVENTS_A_BLOCK", "EVENTS_A_CHAT", "Chat", "block", "chats", "mid_conversation"]

Item = dict[str, Any]

SEED: Final = 4
EVENTS_A_CHAT: Final = 50
EVENTS_A_BLOCK: Final = 1_000
_LONGEST_TURN: Final = 5

# Events that a cached poll may repeat without a change of the session's state.
_CACHED: Final = {
    "chat_session_message",
    "chat_session_message_delivered",
    "chat_session_message_read",
    "chat_session_party_joined",
    "chat_session_file",
}
_NAMES: Final = (("Tove", "Lindgaard"), ("Idris", "Okonjo"), ("Pilar", "Zamorra"), ("Ada", ""))
# Texts with their weights: one in ten is longer than 64 characters, one in thirty is HTML.
_SENTENCES: Final = {
    "Good morning!": 10,
    "Yes": 8,
    "One moment, please.": 14,
    "Thank you, that is quite clear.": 16,
    "Where is the label with the number?": 14,
    "It arrived, but the teapot inside is in about forty pieces": 16,
    "I will look into it, it takes a minute": 12,
    "I see your parcel was delivered this morning. What can I do for you?": 4,
    "Could you send me a photo of the label on the back, so that I can read the number on it?": 3,
    "The sundial has two opening times.<br>Which of them is it about, the one in the morning?": 2,
    "<b>Please note:</b> the ferry does not sail.": 1,
}


@frozen
class Chat:
    """One recorded session: the items that the server sent."""

    chat_id: str
    items: tuple[Item, ...]

    def lines(self, *, named: bool = False) -> list[bytes]:
        """Return a JSON line for each event; with `named`, each line contains the chat's id."""
        named_by = {"chat_id": self.chat_id} if named else {}
        return [
            json.dumps(item | named_by, sort_keys=True, separators=(",", ":")).encode()
            for item in self.items
        ]


def chats(count: int, seed: int = SEED) -> list[Chat]:
    """Return so many chats of fifty events, from the first status to the end."""
    return [_chat(number, seed) for number in range(count)]


def block(number: int, seed: int = SEED) -> Chat:
    """Return a thousand events in the middle of one long chat; ids continue between blocks."""
    script = _Script(Random(f"{seed}, block {number}"), number * EVENTS_A_BLOCK)
    script.chat_id = _uuid(Random(f"{seed}, long")).lower()
    script.status("queued", "10")
    script.agent_joins()
    script.talk(until=EVENTS_A_BLOCK - 1)
    script.agent_leaves()
    return Chat(script.chat_id, tuple(script.items))


def mid_conversation(messages: int = 20, seed: int = SEED) -> Chat:
    """Return an open chat with two parties, so many messages and no receipts."""
    script = _Script(Random(f"{seed}, middle"))
    script.scenario_greets(announced=True)
    script.status("queued", "30")
    script.agent_joins()
    while script.said < messages:
        script.agent_says() if script.random.random() < 0.5 else script.customer_says()
    receipts = {"chat_session_message_delivered", "chat_session_message_read"}
    items = (item for item in script.items if item["event"] not in receipts)
    return Chat(script.chat_id, tuple(items))


def _chat(number: int, seed: int) -> Chat:
    script = _Script(Random(f"{seed}, chat {number}"))
    script.status("ivr", "")
    script.scenario_greets(announced=script.random.random() < 0.7)
    if script.random.random() < 0.4:
        script.form(answered=0.8)
    script.status("queued", script.random.choice(("", "10", "30")))
    if script.random.random() < 0.3:
        script.status("queued", "5")
    script.agent_joins()
    script.talk(until=EVENTS_A_CHAT - 3)
    script.end()
    return Chat(script.chat_id, tuple(script.items))


def _uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4)).upper()


class _Script:
    """The items that a server sends, with times that advance."""

    def __init__(self, random: Random, start: int = 0) -> None:
        self.random = random
        self.items: list[Item] = []
        self.chat_id = _uuid(random).lower()
        self.scenario = _uuid(random)
        self.agent = self.scenario
        self.time = 1_740_992_400 + start * 10
        self.said = 0
        self._even, self._odd = start * 2, start * 2 + 1

    def status(self, state: str, ewt: str) -> None:
        self.items.append({"event": "chat_session_status", "state": state, "ewt": ewt})

    def scenario_greets(self, *, announced: bool) -> None:
        if announced:
            self._joins(self.scenario, "Tumbleweed Parcels", "", "scenario")
        self._message("Welcome. Which parcel is this about?", self.scenario)

    def agent_joins(self) -> None:
        first, last = self.random.choice(_NAMES)
        self.agent = _uuid(self.random)
        self._joins(self.agent, first, last, "internal")
        self.status("connected", "0")

    def agent_leaves(self) -> None:
        self._say("party_left", party_id=self.agent)

    def talk(self, until: int) -> None:
        """Add turns of the conversation, most of them messages, until there are so many events."""
        turns = (
            *(self.agent_says, self.customer_says, self._poll_again),
            *(self._file, self._warning, self._transfer, self._form_now),
        )
        while (missing := until - len(self.items)) > 0:
            if missing < _LONGEST_TURN:
                self._message(self._text(), self.agent)
            else:
                (turn,) = self.random.choices(turns, (45, 40, 6, 4, 2, 2, 2))
                turn()

    def agent_says(self) -> None:
        if self.random.random() < 0.7:
            self._say("typing", party_id=self.agent)
            if self.random.random() < 0.2:
                self._say("typing", party_id=self.agent)
        if self.random.random() < 0.15:
            self._say("not_typing", party_id=self.agent)
        self._message(self._text(), self.agent)

    def customer_says(self) -> None:
        own = {"msg": self._text(), "msg_id": str(self._odd), "party_id": self.chat_id.upper()}
        self._say("message", **own)
        self._odd += 2
        self.said += 1
        if self.random.random() < 0.5:
            receipt = {"party_id": self.agent, "ref_msg_id": own["msg_id"]}
            self._say("message_delivered", **receipt)
            if self.random.random() < 0.7:
                self._say("message_read", **receipt)

    def form(self, answered: float) -> None:
        """Add a form, which is answered with this probability and otherwise expires."""
        asked = {"form_name": "parcel_number", "form_request_id": str(self._even)}
        self._even += 2
        timeout = self.random.choice(("60", "300"))
        self._say("form_show", channel="web", form_timeout=timeout, **asked)
        if self.random.random() < answered:
            own = self.chat_id.upper()
            self._say("form_data", data={"parcel": "TW-20417"}, party_id=own, **asked)

    def end(self) -> None:
        """Add the last three events, one of which ends the chat."""
        if self.random.random() < 0.1:
            self._say("timeout_warning", msg="Are you still there?")
            self._say("typing", party_id=self.agent)
            self.time += 300
            self._say("inactivity_timeout", msg="The chat was closed.")
            return
        self._message("You are welcome. Goodbye!", self.agent)
        self.agent_leaves()
        self.items.append({"event": "chat_session_ended"})

    def _joins(self, party_id: str, first: str, last: str, kind: str) -> None:
        names = {"display_name": first, "first_name": first, "last_name": last}
        self._say("party_joined", party_id=party_id, type=kind, **names)

    def _message(self, text: str, party_id: str) -> None:
        said = {"channel": "web", "msg": text, "msg_id": str(self._even), "party_id": party_id}
        if "<" in text:
            said["msg_text"] = text.replace("<br>", "\n").replace("<b>", "").replace("</b>", "")
        self._say("message", **said)
        self._even += 2
        self.said += 1

    def _text(self) -> str:
        (text,) = self.random.choices(tuple(_SENTENCES), tuple(_SENTENCES.values()))
        return text

    def _poll_again(self) -> None:
        recent = [item for item in self.items[-6:] if item["event"] in _CACHED]
        self.items += recent[-self.random.randint(2, 5) :]

    def _file(self) -> None:
        shared = {"file_id": _uuid(self.random).lower(), "file_name": "label.jpg"}
        self._say("file", file_type="image", msg_id=str(self._even), party_id=self.agent, **shared)
        self._even += 2

    def _warning(self) -> None:
        self.time += 120
        self._say("timeout_warning", msg="Are you still there? This chat will be closed soon.")

    def _transfer(self) -> None:
        self.agent_leaves()
        self.status("connecting", "20")
        self.agent_joins()

    def _form_now(self) -> None:
        self.form(answered=0.8)

    def _say(self, name: str, **fields: Any) -> None:
        self.time += self.random.choice((0, 1, 1, 2, 3, 5, 8, 21))
        self.items.append({"event": f"chat_session_{name}", "timestamp": str(self.time), **fields})
