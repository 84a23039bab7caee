"""What the customer says and shares: on its way out, and the word of what became of it."""

from __future__ import annotations

from attrs import evolve

from chatfsm.protocol import commands
from chatfsm.protocol.outbound import encode
from chatfsm.session import outbox
from chatfsm.session.identity import content_of, is_known, remember, speaker_of
from chatfsm.session.inputs import SendFailed, Sent
from chatfsm.session.state import Content, Turn

Shared = commands.SendText | commands.SendFile | commands.SendLocation | commands.SendNavigation


def check(turn: Turn, _command: Shared) -> None:
    """Refuse more than may wait to be sent."""
    outbox.check_room(turn)


def text(turn: Turn, command: commands.SendText) -> None:
    """Say something; an open text prompt was put before it by the forms."""
    _say(turn, command, "", content_of(command.body, command.plain), command.body, command.plain)


def file(turn: Turn, command: commands.SendFile) -> None:
    """Share a file."""
    content = content_of(command.file_id, command.file_type, command.file_name)
    _say(turn, command, "file", content, f"file {command.file_id}")


def location(turn: Turn, command: commands.SendLocation) -> None:
    """Share a place."""
    latitude, longitude = float(command.latitude), float(command.longitude)
    content = content_of(str(latitude), str(longitude), command.url)
    _say(turn, command, "location", content, f"{latitude} {longitude}")


def navigation(turn: Turn, command: commands.SendNavigation) -> None:
    """Tell which page the customer looks at."""
    _say(turn, command, "navigation", "", str(encode(command)["event"]))


def marked_delivered(turn: Turn, command: commands.MarkDelivered) -> None:
    """Tell the server, once, that its message is here."""
    _mark(turn, command, "marked delivered")


def marked_read(turn: Turn, command: commands.MarkRead) -> None:
    """Tell the server, once, that its message was read."""
    _mark(turn, command, "marked read")


def leave(turn: Turn, command: commands.Disconnect | commands.End) -> None:
    """End the conversation, or the session: the server will say when it has."""
    turn.say(encode(command))


def sent(turn: Turn, item: Sent) -> None:
    """The transport has brought messages to the server."""
    for msg_id in item.msg_ids:
        outbox.confirm(turn, msg_id, "sent")


def failed(turn: Turn, item: SendFailed) -> None:
    """The transport could not bring messages to the server, or does not know."""
    for msg_id in item.msg_ids:
        outbox.fail(turn, msg_id, item.why, "in_doubt" if item.retryable else "refused")


def abandoned(turn: Turn, _item: object) -> None:
    """What was on its way when the session ended is in doubt for ever."""
    for msg_id in list(turn.memory.outbox or ()):
        outbox.fail(turn, msg_id, "the session is over", "in_doubt")


def _say(turn: Turn, command: Shared, kind: str, content: Content, *echo: str | None) -> None:
    msg_id = outbox.take_msg_id(turn)
    event = encode(evolve(command, msg_id=msg_id))
    if turn.settings.empty_file_ids and isinstance(command, commands.SendFile):
        event["msg_id"] = ""
    turn.say(event, msg_id)
    # Sent again, if need be, with all that went before it: the answer to a prompt, say.
    remember(turn, speaker_of(turn.memory, turn.memory.chat_id, kind), msg_id, content)
    outbox.keep(turn, msg_id, *echo)


def _mark(turn: Turn, command: commands.MarkDelivered | commands.MarkRead, kind: str) -> None:
    speaker = speaker_of(turn.memory, None, kind)
    if is_known(turn.memory, speaker, command.msg_id, "") is None:
        remember(turn, speaker, command.msg_id, "")
        turn.say(encode(command))
