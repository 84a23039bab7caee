"""Faults: small wrong changes of the source, each with the tests that must find it.

There is at least one for each row of PROTOCOL.md §6 and one for each law of DESIGN.md. If a row has
two, tests find them in different ways. Tests by Hypothesis come first.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["FAULTS", "LAWS", "ROWS", "Fault"]

# The rows of PROTOCOL.md §6 in their order.
ROWS: Final = (
    *("states", "odd-events", "polls-after-end", "retry-loop", "second-poll", "cached-poll"),
    *("history-again", "two-ends", "stuck-typing", "stuck-party", "dead-form", "mixed-chats"),
    *("end-dropped", "v1-news", "file-type", "foreign-404", "portal", "refused-polls", "bad-byte"),
    *("large-history", "cookie-jar", "raising-session", "odd-encoding", "sleep", "second-device"),
)
LAWS: Final = tuple(f"L{number}" for number in range(1, 11))

MODEL: Final = "tests/session/model/test_model.py"
MACHINE: Final = "tests/session/stateful/test_session_machine.py"
CUTS: Final = (
    "tests/session/snapshot/test_cut_anywhere.py::test_a_restart_at_any_moment_changes_nothing"
)
BOUNDS: Final = "tests/session/live/test_bounds.py"
STORY: Final = "tests/client/test_faults.py::TestClient"
JOINING: Final = "tests/client/test_faults.py::TestJoining"
HOSTILE: Final = "tests/client/test_hostile.py"
ERRORS: Final = "tests/client/test_any_error.py::test_any"
REFUSED: Final = "tests/client/test_refused_history.py::test_any_refusals_change_no_order"
STORM: Final = "tests/simulator/network/test_any_storm.py::test_any_temporary_faults"
WORLD: Final = "tests/simulator/network/test_world.py"
CODEC: Final = "tests/protocol/test_fuzz.py::test_any_items"
TARGETS: Final = "tests/fuzz/test_targets.py"
SESSION: Final = "chatfsm/_session"
CLIENT: Final = "chatfsm/_client"


class Fault(NamedTuple):
    """One wrong change: `new` replaces `old`, which the file contains once."""

    name: str
    covers: str
    """A row of PROTOCOL.md §6 by its name in `ROWS`, or a law."""
    about: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


FAULTS: Final = (
    Fault(
        "completed-ignored",
        "states",
        "a status `completed` is taken for an unknown state",
        f"{SESSION}/tables.py",
        'frozenset({*_EXPECTED, "failed"})',
        'frozenset({*_EXPECTED, "failed"} - {"completed"})',
        (MODEL,),
    ),
    Fault(
        "unknown-dropped",
        "odd-events",
        "an unknown event of a batch is dropped",
        "chatfsm/_protocol/codec.py",
        "return [decode_item(item) for item in _items(data)]",
        "return [it for it in map(decode_item, _items(data)) if not isinstance(it, e.Unknown)]",
        (CODEC,),
    ),
    Fault(
        "odd-field-raises",
        "odd-events",
        "a field of another type raises, and its batch is lost",
        "chatfsm/_protocol/codec.py",
        '        except ValueError as error:\n            if "data" in item',
        '        except LookupError as error:\n            if "data" in item',
        (CODEC,),
    ),
    Fault(
        "404-polled",
        "polls-after-end",
        "a status 404 without a code does not end the chat",
        f"{CLIENT}/failures.py",
        "if isinstance(error, SessionGoneError) and turn.session is not None:",
        "if isinstance(error, SessionGoneError) and turn.session is not None and error.error_code:",
        (f"{ERRORS}_errors_of_polls",),
    ),
    Fault(
        "poll-while-ending",
        "polls-after-end",
        "polls go on while the end is held back",
        f"{CLIENT}/polling.py",
        "    if state.ending is not None:\n        return inf\n",
        "",
        (f"{ERRORS}_end_while_a_text_is_unconfirmed",),
    ),
    Fault(
        "no-backoff",
        "retry-loop",
        "a failed request is repeated at once",
        f"{CLIENT}/failures.py",
        "return max(delay * (1 + jitter) / 2, requested)",
        "return requested",
        (f"{ERRORS}_errors_of_polls",),
    ),
    Fault(
        "failures-never-reset",
        "retry-loop",
        "failures of polls are counted over the whole life of a chat",
        f"{CLIENT}/polling.py",
        "    state.poll_timer.failures = 0\n",
        "",
        (f"{ERRORS}_errors_of_polls",),
    ),
    Fault(
        "poll-beside-poll",
        "second-poll",
        "a poll is sent while another one is held",
        f"{CLIENT}/polling.py",
        'return state.poll_timer.at if state.poll == "due" and is_next else inf',
        'return state.poll_timer.at if state.poll != "closed" and is_next else inf',
        (STORY, STORM),
    ),
    Fault(
        "duplicates-reported",
        "cached-poll",
        "a message of a cached poll is reported again",
        f"{SESSION}/duplicates.py",
        "    if ids[msg_id] == content or (msg_id, content) in ids:",
        "    if ids[msg_id] == content and session.in_history:",
        (MODEL, MACHINE),
    ),
    Fault(
        "cached-leave-obeyed",
        "cached-poll",
        "a cached `party_left` removes a party that has joined again since",
        f"{SESSION}/roster.py",
        "return at < (joined_at[1] if isinstance(joined_at, tuple) else joined_at)",
        "return False",
        (MODEL,),
    ),
    Fault(
        "history-appended",
        "history-again",
        "messages without an id are reported again by each history",
        f"{SESSION}/duplicates.py",
        "    if key in session.seen_ids.get(scope, ()):",
        "    if key in session.seen_ids.get(scope, ()) and not session.in_history:",
        (MODEL,),
    ),
    Fault(
        "old-end-obeyed",
        "history-again",
        "an old `ended` in a history ends the live session",
        f"{SESSION}/dispatch.py",
        "    **dict.fromkeys(_EVENTS, lifecycle.ignore),\n",
        "    **dict.fromkeys(_EVENTS, lifecycle.ignore),\n    events.Ended: lifecycle.ended,\n",
        (MODEL, MACHINE),
    ),
    Fault(
        "later-end-wins",
        "two-ends",
        "of two ends in one batch the last decides",
        f"{CLIENT}/state.py",
        "if self.state.ending is None and self.session is not None and not self.session.done:",
        "if self.session is not None and not self.session.done:",
        (f"{ERRORS}_end_while_a_text_is_unconfirmed",),
    ),
    Fault(
        "end-call-echoed",
        "two-ends",
        "END_CALL is answered with END_CALL",
        f"{SESSION}/calls.py",
        "    effects.append(SignalReceived(event.party_id, signal))\n",
        "    effects.append(SignalReceived(event.party_id, signal))\n"
        "    if isinstance(signal, signaling.CallEnd):\n"
        "        session.queue_event(encode(commands.EndCall()))\n"
        "        session.flush(effects)\n",
        (MODEL,),
    ),
    Fault(
        "typing-never-expires",
        "stuck-typing",
        "a typing indicator has no deadline",
        f"{SESSION}/presence.py",
        "deadline_after(session.now, session.settings.typing_timeout)",
        "deadline_after(session.now, 1e12)",
        (MODEL, MACHINE),
    ),
    Fault(
        "typing-survives-completed",
        "stuck-typing",
        "typing goes on after `completed`",
        f"{SESSION}/lifecycle.py",
        '    if state == "completed":\n        stop_all_typing',
        '    if state == "closed":\n        stop_all_typing',
        (MODEL,),
    ),
    Fault(
        "party-stays",
        "stuck-party",
        "a party that leaves with a timestamp stays in the roster",
        f"{SESSION}/roster.py",
        "    if index is not None:\n        _remove(session, index, at, effects)\n",
        "    if index is not None and at is None:\n        _remove(session, index, at, effects)\n",
        (MODEL,),
    ),
    Fault(
        "first-agent-stays",
        "stuck-party",
        "the agent is the one who joined first",
        f"{SESSION}/session.py",
        "for party in reversed(self._state.parties):",
        "for party in self._state.parties:",
        (MODEL, "tests/session/live/test_roster.py"),
    ),
    Fault(
        "form-never-expires",
        "dead-form",
        "a form is open after its deadline, and its prompt swallows the next text",
        f"{SESSION}/dispatch.py",
        "if expires_at is not None and now >= expires_at:",
        "if expires_at is not None and now >= expires_at + 60.0:",
        (MODEL, MACHINE),
    ),
    Fault(
        "prompt-stays-open",
        "dead-form",
        "a text prompt of a history stays open although a later text has answered it",
        f"{SESSION}/messages.py",
        "if waiting.form.is_text_prompt and shown_at <= at:",
        "if waiting.form.is_text_prompt and shown_at < at:",
        (MODEL,),
    ),
    Fault(
        "sessions-share-ids",
        "mixed-chats",
        "all sessions of a process share one set of seen ids",
        f"{SESSION}/state.py",
        "    seen_ids: SeenIds = field(factory=dict)\n",
        "    seen_ids: SeenIds = field(default={})  # noqa: RUF009\n",
        (MODEL, STORM),
    ),
    Fault(
        "log-lines-mixed",
        "mixed-chats",
        "an event of an envelope without a chat_id is of the chat before it",
        "chatfsm/replay/items.py",
        "        yield own or chat_id, item, at\n",
        "        chat_id = own or chat_id\n        yield chat_id, item, at\n",
        ("tests/replay/test_chat_ids.py",),
    ),
    Fault(
        "end-overtakes",
        "end-dropped",
        "the customer's end overtakes earlier messages",
        f"{CLIENT}/sending.py",
        "        queue.append(item)\n",
        "        queue.insert(0 if item.msg_id is None else len(queue), item)\n",
        (f"{ERRORS}_texts_before_the_end", STORY),
    ),
    Fault(
        "queue-dropped-at-end",
        "end-dropped",
        "pending messages are dropped at the end without a report",
        f"{CLIENT}/sending.py",
        "            _report_failed(turn, item, why)\n\n\ndef on_terminated",
        "            continue\n\n\ndef on_terminated",
        (STORM, "tests/client/test_ending.py"),
    ),
    Fault(
        "v1-news-dropped",
        "v1-news",
        "events in the reply to a POST of version 1 are thrown away",
        f"{CLIENT}/sending.py",
        "    turn.feed_events(events)\n\n\ndef resolve",
        "    del events\n\n\ndef resolve",
        (f"{ERRORS}_events_in_the_reply_to_a_post",),
    ),
    Fault(
        "any-file-type",
        "file-type",
        "a MIME type is taken for the type of a file",
        "chatfsm/commands.py",
        'file_type: Literal["image", "attachment"] = field(validator=one_of(*_FILE_TYPES))',
        'file_type: Literal["image", "attachment"] = field(validator=text)',
        ("tests/protocol/test_commands.py::test_file_type",),
    ),
    Fault(
        "page-ends-chat",
        "foreign-404",
        "a proxy's own 404 page ends the chat",
        f"{CLIENT}/failures.py",
        "HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})",
        "HTTPStatus.FORBIDDEN})",
        (f"{ERRORS}_errors_of_polls",),
    ),
    Fault(
        "redirect-refuses",
        "portal",
        "a redirect of a portal fails the messages of the request",
        f"{CLIENT}/failures.py",
        "if status // 100 == _REDIRECT or (status in _BORROWED and _is_foreign(reply, value)):",
        "if status in _BORROWED and _is_foreign(reply, value):",
        (f"{ERRORS}_foreign_reply_to_a_text",),
    ),
    Fault(
        "busy-is-certain",
        "refused-polls",
        "after a refused poll the history is not requested",
        f"{CLIENT}/polling.py",
        "        state.is_poll_missed = True\n",
        "        state.is_poll_missed = False\n",
        (f"{ERRORS}_errors_of_polls",),
    ),
    Fault(
        "strict-bytes",
        "bad-byte",
        "one undecodable byte loses a whole reply",
        f"{CLIENT}/failures.py",
        "return json_input.parse_leniently(body)",
        'raise DecodeError("not JSON")',
        (f"{ERRORS}_flawed_byte_in_a_text",),
    ),
    Fault(
        "large-history-again",
        "large-history",
        "a history over the limit is requested forever",
        f"{CLIENT}/history.py",
        "    if not is_fatal and not error.transient:\n",
        "    if not is_fatal and not error.transient and not is_too_large(error):\n",
        (f"{ERRORS}_history_that_is_too_large",),
    ),
    Fault(
        "jar-shared",
        "cookie-jar",
        "a sender keeps cookies for all of its chats",
        "chatfsm/adapters/httpx.py",
        "    client.cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))\n",
        "",
        ("tests/drivers/test_cookies.py::test_two_customers_of_one_blocking_sender_get_two_chats",),
    ),
    Fault(
        "hooks-called",
        "raising-session",
        "the app's own client raises for a status",
        "chatfsm/adapters/httpx.py",
        "    client.event_hooks = {}\n",
        "",
        (
            "tests/adapters/test_connecting.py::test_a_client_that_raises_for_a_status_gives_replies",
        ),
    ),
    Fault(
        "unknown-encoding-refused",
        "odd-encoding",
        "a character set in Content-Encoding makes a reply unusable",
        "chatfsm/adapters/_base.py",
        "for word in encodings if word in _ENCODINGS]",
        "for word in encodings if word]",
        ("tests/adapters/test_body.py",),
    ),
    Fault(
        "tail-breaks-gzip",
        "odd-encoding",
        "bytes behind a gzip body make it unusable",
        "chatfsm/adapters/_base.py",
        "        self._is_past_end = True\n",
        '        raise UnusableReplyError("bytes behind the end of gzip")\n',
        ("tests/adapters/test_body.py",),
    ),
    Fault(
        "sleep-unnoticed",
        "sleep",
        "a sleep of the computer is taken for a long wait",
        f"{CLIENT}/client.py",
        "return -inf < self._deadline < now - self.settings.suspend_gap",
        "return False",
        (f"{ERRORS}_sleep_of_the_computer",),
    ),
    Fault(
        "token-forgotten",
        "second-device",
        "message ids have no token",
        f"{SESSION}/outbox.py",
        'f"{session.token}:{number}" if session.token else str(number)',
        "str(number)",
        ("tests/client/test_joining.py", "tests/simulator/network/test_second_device.py"),
    ),
    Fault(
        "posts-before-history",
        "second-device",
        "a chat that existed before is posted to before its history was merged",
        f"{CLIENT}/api_requests.py",
        "        turn.state.is_joining = True\n",
        "",
        (JOINING, "tests/client/test_joining.py"),
    ),
    Fault(
        "jitter-of-the-process",
        "L1",
        "the jitter differs from process to process",
        f"{CLIENT}/failures.py",
        "jitter = int.from_bytes(digest) / 2**64",
        "jitter = abs(hash(digest)) / 2**63",
        ("tests/guards/test_purity.py", f"{WORLD}::test_another_process_is_the_same_world"),
    ),
    Fault(
        "row-missing",
        "L2",
        "the dict that sessions read lacks a transition of the machine",
        "chatfsm/_statemachine.py",
        "    for trigger, event in machine.events.items():\n",
        "    for trigger, event in [*machine.events.items()][1:]:\n",
        (MODEL, STORY, "tests/guards/test_transition_tables.py"),
    ),
    Fault(
        "refusal-expires",
        "L3",
        "a refused command changes the session: deadlines are applied first",
        f"{SESSION}/dispatch.py",
        "        guard(session, command)\n        if session.now >= session.deadline_bound:\n"
        "            expire(session, effects)\n",
        "        if session.now >= session.deadline_bound:\n            expire(session, effects)\n"
        "        guard(session, command)\n",
        (MODEL, MACHINE, "tests/session/commands/test_legality.py"),
    ),
    Fault(
        "effect-after-end",
        "L4",
        "the end is not the last effect of its step",
        f"{CLIENT}/client.py",
        "        turn.effects.append(turn.terminated)\n",
        "        turn.effects.insert(0, turn.terminated)\n",
        (STORY, HOSTILE, f"{ERRORS}_end_while_a_text_is_unconfirmed"),
    ),
    Fault(
        "late-obeyed",
        "L4",
        "a status after the end is reported",
        f"{SESSION}/dispatch.py",
        "    History: lifecycle.late_history,\n",
        "    History: lifecycle.late_history,\n"
        "    events.TimeoutWarning: lifecycle.timeout_warning,\n",
        (MODEL, MACHINE),
    ),
    Fault(
        "reused-id-lost",
        "L5",
        "a message with the id of another one is lost",
        f"{SESSION}/duplicates.py",
        "    if ids[msg_id] == content or (msg_id, content) in ids:",
        "    if msg_id in ids:",
        (MODEL,),
    ),
    Fault(
        "resent-blindly",
        "L5",
        "an unconfirmed text that the history shows is sent again",
        f"{SESSION}/messages.py",
        "    own_id = outbox.find_echo(session, msg_id, event.msg, event.msg_text)\n",
        "    own_id = outbox.find_echo("
        "session, msg_id, None if session.in_history else event.msg)\n",
        (STORY, STORM),
    ),
    Fault(
        "put-back-behind",
        "L5",
        "a batch that the server did not accept is sent again behind later texts",
        f"{CLIENT}/sending.py",
        "    state.queue = batch + state.queue\n",
        "    state.queue = state.queue + batch\n",
        (f"{ERRORS}_texts_arrive_in_their_order", STORM),
    ),
    Fault(
        "overtaken-resent",
        "L5",
        "a text whose history was refused is sent again behind later texts",
        f"{CLIENT}/sending.py",
        "    _fail_overtaken(turn, missing)\n",
        "",
        (REFUSED,),
    ),
    Fault(
        "recheck-forgotten",
        "L5",
        "events in the reply of a broken poll are lost",
        f"{CLIENT}/polling.py",
        "        on_poll_lost(state, turn.settings)\n",
        "",
        (f"{ERRORS}_events_lost_with_a_broken_poll", STORM),
    ),
    Fault(
        "ids-unbounded",
        "L6",
        "seen ids are never evicted",
        f"{SESSION}/duplicates.py",
        "        _evict(session)\n    session.seen_count += 1\n    ids = ",
        "        pass\n    session.seen_count += 1\n    ids = ",
        (MACHINE, BOUNDS),
    ),
    Fault(
        "items-unbounded",
        "L6",
        "a text may have any number of items",
        "chatfsm/_protocol/codec.py",
        "    if len(value) > MAX_ITEMS:\n",
        "    if len(value) > MAX_ITEMS * MAX_ITEMS:\n",
        ("tests/protocol/test_item_bounds.py",),
    ),
    Fault(
        "topic-imports-topic",
        "L7",
        "one topic of the session imports another one",
        f"{SESSION}/presence.py",
        "from chatfsm._session import changes\n",
        "from chatfsm._session import changes, service  # noqa: F401\n",
        ("tests/guards/test_imports.py::test_topics_do_not_import_each_other",),
    ),
    Fault(
        "snapshot-forgets-own-text",
        "L8",
        "a restored session forgets the time of the last own text",
        f"{SESSION}/snapshot_fields.py",
        "    flat = {**body}\n",
        '    flat = {key: held for key, held in body.items() if key != "own_text_at"}\n',
        (MACHINE, CUTS, MODEL),
    ),
    Fault(
        "client-times-absolute",
        "L8",
        "the times of a client's snapshot are on the clock of the old process",
        f"{CLIENT}/snapshot.py",
        "    _shift(body, lambda at: None if at == -inf else at - now)\n",
        "    _shift(body, lambda at: None if at == -inf else at)\n",
        ("tests/client/test_snapshot.py", STORM),
    ),
    Fault(
        "orjson-needed",
        "L9",
        "the codec cannot be imported without an extra",
        "chatfsm/_protocol/json_input.py",
        "except ImportError:  # the extra `fast` is not installed\n",
        "except AttributeError:\n",
        (
            "tests/protocol/test_fast_decoder.py::test_without_orjson_the_standard_library_does_it_all",
        ),
    ),
    Fault(
        "secure-answers-kept",
        "L10",
        "the answers to a secure form are in a client's snapshot",
        "chatfsm/_plain.py",
        'is_secret = "_secure_" in str(event.get("event")) and "data" in event',
        'is_secret = "_secure_" in str(event.get("name")) and "data" in event',
        ("tests/client/test_snapshot.py", "tests/session/live/test_effects_json.py"),
    ),
    Fault(
        "credentials-shown",
        "L10",
        "the repr of an endpoint shows the client's id",
        "chatfsm/endpoint.py",
        "client_id: str = field(repr=False, validator=_header_value)",
        "client_id: str = field(validator=_header_value)",
        ("tests/client/test_endpoint.py",),
    ),
    Fault(
        "scrub-keeps-words",
        "L10",
        "a scrubbed log keeps words that are not the protocol's",
        "chatfsm/replay/scrub.py",
        'return text if text in _PROTOCOL_WORDS else f"word-{self._mark(text)}"',
        "return text",
        (f"{TARGETS}::test_a_target_holds[scrub]", "tests/replay/journal/test_scrub.py"),
    ),
)
