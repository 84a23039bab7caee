"""Duplicates: what was reported before, by sender, id and content (law L5).

`SessionState.seen_ids` maps scope → message key → fingerprint. A scope is a party, or a kind of
event with or without a party. A key is the id on the wire; keys that the session makes itself (a
reused id with its further content, an event without an id) are tuples, so no text from the wire
can equal one. `Settings.max_ids` bounds the number of keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from itertools import islice
from operator import attrgetter
from typing import Any, Final, get_args

from attrs import fields

from chatfsm import events
from chatfsm._plain import canonical_json, json_safe
from chatfsm._session.state import Fingerprint, Scope, SessionState, quoted
from chatfsm.effects import Effect
from chatfsm.signaling import Signal

__all__ = [
    "DIGEST",
    "MAX_PLAIN_LENGTH",
    "digest",
    "fingerprint",
    "is_duplicate",
    "is_new",
    "is_seen",
    "message_fingerprint",
    "remember",
    "scope_for",
    "shortened",
    "value_fingerprint",
]

# Texts up to this length are their own fingerprint; longer ones are kept as a digest of so many
# bytes: two contents collide with probability 2^-96.
MAX_PLAIN_LENGTH: Final = 64
DIGEST: Final = 12
# One eviction drops an eighth of all keys, so its cost per event does not depend on their number.
_PORTION: Final = 8


def message_fingerprint(event: events.Message) -> Fingerprint:
    """Return the fingerprint of a message's text, HTML and attachments."""
    text = event.msg
    if event.msg_text is None and text is not None and not event.attachments:
        return text if len(text) <= MAX_PLAIN_LENGTH else digest(f"1{text}")
    attached = "".join(canonical_json(attachment) for attachment in event.attachments)
    return fingerprint(text, event.msg_text, attached or None)


def fingerprint(
    first: str | None, second: str | None = None, third: str | None = None
) -> Fingerprint:
    """Return a fingerprint of texts: of bounded length, and the same in every process.

    A text alone never has the fingerprint of several.
    """
    if first is None or second is not None or third is not None:
        return digest(repr((first, second, third)))
    return first if len(first) <= MAX_PLAIN_LENGTH else digest(f"1{first}")


def shortened(text: str) -> Fingerprint:
    """Return a text if it is short, else its digest."""
    return text if len(text) <= MAX_PLAIN_LENGTH else digest(text)


def value_fingerprint(value: events.FormShow | events.SecureFormShow | Signal) -> Fingerprint:
    """Return a fingerprint of the fields of a form or signal, except its request id and timestamp.

    A form is known by its request id and timestamp already.
    """
    name, unread_of, content_of = _CONTENT_OF[value.__class__]
    unread = unread_of(value)
    rest = json.dumps(json_safe(unread), sort_keys=True) if unread else ""
    return shortened(f"{name}{content_of(value)!r}{rest}")


def _getters(cls: type) -> tuple[str, Callable[[Any], Any], Callable[[Any], Any]]:
    """Return the class's name, a getter of the unread fields, and one of those that were read."""
    names = [known.name for known in fields(cls)]
    read = [name for name in names if name not in {"form_request_id", "timestamp", *_UNREAD}]
    (unread,) = _UNREAD.intersection(names)
    return cls.__name__, attrgetter(unread), attrgetter(*read) if read else _nothing


def _nothing(_value: object) -> None:
    """Return None: a signal may have no fields but the unread ones."""


_UNREAD: Final = {"extra", "raw"}
_CONTENT_OF: Final = {
    cls: _getters(cls) for cls in (events.FormShow, events.SecureFormShow, *get_args(Signal))
}


_EMPTY: Final = blake2b(digest_size=DIGEST)


def digest(text: str) -> bytes:
    """Return the digest of `DIGEST` bytes that is kept in place of a long text."""
    hasher = _EMPTY.copy()  # a third faster than a new one with a digest_size
    hasher.update(text.encode("utf-8", "surrogatepass"))
    return hasher.digest()


def scope_for(session: SessionState, party_id: str | None, kind: str = "") -> Scope:
    """Return the scope of a party's ids, for one kind of event."""
    party = session.chat_id if session.is_own(party_id) else party_id
    return (kind, party) if kind else party


def is_duplicate(  # noqa: PLR0913, PLR0917  # the identity of an event has this many parts
    session: SessionState,
    scope: Scope,
    msg_id: str | None,
    content: Fingerprint,
    event: events.Event,
    effects: list[Effect],
) -> bool:
    """Whether an event was reported before; counts it if so, else remembers it.

    The same id with other content is no duplicate: it adds the anomaly `id_reused`.
    """
    if msg_id is None:
        return _is_duplicate_without_id(session, scope, content, event, effects)
    ids = session.seen_ids.get(scope)
    if ids is None or msg_id not in ids:
        if ids is None or session.seen_count >= session.settings.max_ids:
            remember(session, scope, msg_id, content)
        else:  # as `remember`, without the call
            session.seen_count += 1
            ids[msg_id] = content
        return False
    if ids[msg_id] == content or (msg_id, content) in ids:
        session.count_duplicate(event, effects)
        return True
    session.report_violation("id_reused", f"id {quoted(msg_id)} came again with other content")
    remember(session, scope, msg_id, content)
    return False


def _is_duplicate_without_id(
    session: SessionState,
    scope: Scope,
    content: Fingerprint,
    event: events.Event,
    effects: list[Effect],
) -> bool:
    """Whether a history brings an event without an id that was seen with the same timestamp.

    A live event without an id is never a duplicate: two equal texts may both be meant.
    """
    key = (None, content, event.timestamp)
    if key in session.seen_ids.get(scope, ()):
        if session.in_history:
            session.count_duplicate(event, effects)
        return session.in_history
    if session.seen_count >= session.settings.max_ids:
        _evict(session)
    session.seen_count += 1
    session.seen_ids.setdefault(scope, {})[key] = ""
    return False


def is_new(session: SessionState, scope: Scope, msg_id: str, content: Fingerprint) -> bool:
    """Whether this id was not remembered with this content; remembers it."""
    ids = session.seen_ids.get(scope)
    if ids is not None and msg_id in ids and (ids[msg_id] == content or (msg_id, content) in ids):
        return False
    remember(session, scope, msg_id, content)
    return True


def is_seen(session: SessionState, scope: Scope, msg_id: str, content: Fingerprint) -> bool:
    """Whether this id was remembered with this content."""
    ids = session.seen_ids.get(scope)
    return (
        ids is not None and msg_id in ids and (ids[msg_id] == content or (msg_id, content) in ids)
    )


def remember(session: SessionState, scope: Scope, msg_id: str, content: Fingerprint) -> None:
    """Remember an id and its content; evicts the oldest keys if there are too many."""
    if session.seen_count >= session.settings.max_ids:
        _evict(session)
    session.seen_count += 1
    ids = session.seen_ids.get(scope)
    if ids is None:
        session.seen_ids[scope] = {msg_id: content}
    elif msg_id in ids:
        ids[msg_id, content] = ""
    else:
        ids[msg_id] = content


def _evict(session: SessionState) -> None:
    """Drop the oldest keys of the largest scope, or of the first scopes if all are small."""
    seen_ids, limit = session.seen_ids, session.settings.max_ids
    portion = max(1, limit // _PORTION)
    largest = max(seen_ids, key=lambda scope: len(seen_ids[scope]))
    scopes = iter([largest] if len(seen_ids[largest]) >= portion else list(seen_ids))
    session.seen_count -= portion
    while portion:
        scope = next(scopes)
        ids = seen_ids[scope]
        oldest = list(islice(ids, portion))
        portion -= len(oldest)
        if len(oldest) == len(ids):
            del seen_ids[scope]
        else:
            for key in oldest:
                del ids[key]
    if session.seen_complete:
        session.seen_complete = False
        text = f"more than {limit} ids: repeats of the oldest are no longer recognized"
        session.add_anomaly("too_many_ids", text)
