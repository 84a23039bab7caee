"""Rules of the judge: their names, what they ask for and why, and the form of their checkers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from attrs import define, frozen

from chatfsm.testing.exchanges import ObservedExchange

__all__ = ["RULES", "Checker", "JudgedChat", "Report", "Rule", "Severity"]

Severity = Literal["error", "warning"]
"""An error fails the client. A warning names what is optional, or wrong only by bad luck."""


@frozen
class Rule:
    """A rule of the protocol that a judge can check by requests and replies alone."""

    name: str
    """The name of the rule, as reports and `--ignore` have it."""
    severity: Severity
    """The consequence of a violation: an error fails the client."""
    explanation: str
    """The reason of the rule, for people."""


def _rules(*rules: Rule) -> dict[str, Rule]:
    return {rule.name: rule for rule in rules}


RULES: Final[dict[str, Rule]] = _rules(
    Rule(
        "one-poll-at-a-time",
        "error",
        "A server takes one poll per session at a time, and refuses a second one with 5509; events "
        "are then lost between the two.",
    ),
    Rule(
        "no-poll-after-end",
        "error",
        "A session is over after chat_session_ended, an inactivity timeout, the state failed, the "
        "error 5005 or a 404 of the server's: no poll must follow.",
    ),
    Rule(
        "history-after-gap",
        "error",
        "What a server has sent in a reply that was lost comes in no later poll: after a broken or "
        "refused poll the history must be asked for.",
    ),
    Rule(
        "backoff",
        "error",
        "After a failure (429, 5xx, 401, no network) a client waits before it tries again, and "
        "longer each time: clients in a tight loop keep a server down.",
    ),
    Rule(
        "polls-to-the-end",
        "error",
        "A poll that fails is to be repeated until it succeeds: the chat goes on, and what is said "
        "in it is lost.",
    ),
    Rule(
        "unique-message-ids",
        "error",
        "A msg_id names one message of a chat, also after a restart: the same id with other "
        "content confuses receipts, and the history.",
    ),
    Rule(
        "arrived-once",
        "error",
        "The reply to a POST may be lost although its messages have arrived: only a history that "
        "lacks a message allows to send it again. Servers do not drop copies.",
    ),
    Rule(
        "in-order",
        "error",
        "Messages must reach the server in the order in which they were said: while it is unknown "
        "if one has arrived, the next one has to wait.",
    ),
    Rule(
        "told-once",
        "error",
        "Caches, histories and overlapping polls bring events again: the same party, msg_id and "
        "content are one message, which must be shown, and so read, once.",
    ),
    Rule(
        "no-end-call-echo",
        "error",
        "A client must not answer END_CALL with END_CALL: two sides that both do so never stop.",
    ),
    Rule(
        "well-formed-event",
        "error",
        "A POST holds a JSON object with a list of events, and each event the fields that its "
        "meaning depends on; file_type is image or attachment.",
    ),
    Rule(
        "well-formed-upload",
        "error",
        "An upload is multipart/form-data with a boundary, and holds a part with a file name.",
    ),
    Rule(
        "credentials-in-header",
        "error",
        "Every request but the download of a file or an image names the app and the client in its "
        "Authorization header, by the scheme MOBILE-API-140-327-PLAIN.",
    ),
    Rule(
        "no-blind-resend",
        "warning",
        "A message whose POST failed may have arrived: ask the history before sending it again. "
        "This time nothing was lost by it; another time it arrives twice.",
    ),
    Rule(
        "text-given-up",
        "warning",
        "A message that has not arrived should be sent again, or reported to the person who wrote "
        "it; a judge cannot see the latter.",
    ),
    Rule(
        "receipts",
        "warning",
        "In version 2 clients confirm the messages that they were told, and no others, by the "
        "event chat_session_message_delivered or _read with the id in ref_msg_id.",
    ),
    Rule(
        "history-when-joining",
        "warning",
        "If is_new_chat is false, the session existed before: its history holds what was said, and "
        "ids that must not be used again.",
    ),
    Rule(
        "uncached-polls",
        "warning",
        "Proxies were seen to answer polls from their caches: send Cache-Control: no-cache, and a "
        "query parameter that changes.",
    ),
    Rule(
        "patient-poll",
        "warning",
        "A server holds an empty poll for 5 to 15 seconds, and the events of an aborted poll may "
        "be lost: do not abort one before 20 seconds.",
    ),
    Rule(
        "retry-after",
        "warning",
        "A server that sends Retry-After asks for so many seconds without a request.",
    ),
    Rule(
        "known-event",
        "warning",
        "A server ignores or refuses events that the API does not name.",
    ),
    # The command `chatfsm judge` checks these itself.
    Rule("opens-a-chat", "error", "A client that has no chat has shown nothing."),
    Rule("client-ends", "error", "A client ends by itself after the end of its chat."),
    Rule(
        "client-succeeds",
        "error",
        "A client that fails has perhaps not done all that it should.",
    ),
)
"""All rules by name, in the order of a report."""

Report = Callable[[str, ObservedExchange, float, str], None]
"""Reports a violation: the rule's name, the exchange, the time in seconds, and the problem."""


@define
class JudgedChat:
    """A chat, as all its checkers know it."""

    chat_id: str
    """The id of the chat; "": requests that belong to none."""
    is_over: bool = False
    """Whether the end of the session, or a refusal because there is none, arrived at the client."""
    has_left: bool = False
    """Whether the client has ended, so that nothing more will come of it."""


class Checker:
    """Checks one or more rules for one chat, or for requests that belong to no chat yet.

    The methods are called as things happen; each may report violations.
    """

    def __init__(self, chat: JudgedChat, report: Report) -> None:
        self.chat = chat
        self.report = report

    def on_request(self, exchange: ObservedExchange) -> None:
        """Check a request that the client sends."""

    def on_handled(self, exchange: ObservedExchange) -> None:
        """Check a request that the center has handled."""

    def on_arrival(self, exchange: ObservedExchange) -> None:
        """Check what has arrived at the client."""

    def on_cancel(self, exchange: ObservedExchange) -> None:
        """Check a request that the client has given up."""

    def on_opened(self, _exchange: ObservedExchange, /) -> None:
        """Check the arrived reply to a request that named this chat as the client's live one."""

    def finish(self, report: Report, now: float, /) -> None:
        """Report what only the end of a run shows, without a change: the run may go on."""
