"""What the chat tells, as rows for people: as a replayed timeline has them, and the link's own."""

from __future__ import annotations

from typing import cast

from attrs import define

from chatfsm.conversation.tidings import (
    Answered,
    AuthorizationFailed,
    ChatOpened,
    LinkChanged,
    Refused,
    Undelivered,
)
from chatfsm.recording.replay import Step
from chatfsm.recording.report import Account
from chatfsm.recording.timeline import Row, Timeline, Tone, harmless_text
from chatfsm.session.effects import Effect, MessageSent, TypingStarted, TypingStopped
from chatfsm.session.session import ChatSession

__all__ = ["Wording"]

_LINK: dict[str, tuple[str, Tone]] = {
    "live": ("connected to the server", "good"),
    "waiting": ("the server asks for patience", "quiet"),
    "retrying": ("no connection, trying again", "bad"),
    "unauthorized": ("the credentials were refused: /resume tries again", "bad"),
    "over": ("nothing more is sent", "quiet"),
}


@define
class Wording:
    """Finds words for what is told, and remembers who is who."""

    started: float
    """When the program began, on the clock of `now`."""
    account: Account | None = None

    def knows(self, session: ChatSession) -> None:
        """The chat's session is known from here on."""
        if self.account is None:
            met = {party.party_id: party for party in session.parties}
            self.account = Account(session, first_at=self.started, met=met)

    def rows(self, effect: object, now: float) -> list[Row]:
        """What to show of one effect; all of it is harmless to a terminal."""
        match effect:
            case ChatOpened(chat_id=chat_id, is_new=is_new):
                return [self.row("chat", f"{'new' if is_new else 'went on'}: {chat_id}", now)]
            case LinkChanged(state=state, why=why):
                words, tone = _LINK[state]
                return [self.row("link", f"{words}{f' ({why})' if why else ''}", now, tone)]
            case AuthorizationFailed(error=error) | Refused(error=error):
                return [self.row("refused", str(error), now, "bad")]
            case Undelivered(event=event, why=why):
                return [self.row("undelivered", f"{event}: {why}", now, "bad")]
            case Answered() | TypingStarted() | TypingStopped() | MessageSent():
                return []  # what is usual, or is shown while it lasts
        return self._told(effect, now)

    def row(self, what: str, text: str, now: float, tone: Tone = "state") -> Row:
        """A row about something that is no effect."""
        minutes, seconds = divmod(round(now - self.started), 60)
        return Row(f"+{minutes}:{seconds:02}", what, "", harmless_text(text), tone)

    def name_of(self, party_id: str) -> str:
        """What to call a party."""
        if self.account is None:
            return ""
        return harmless_text(Timeline(self.account, None).name_of(party_id))

    def _told(self, effect: object, now: float) -> list[Row]:
        if self.account is None:
            return []
        step = Step(0, now, (cast("Effect", effect),))  # which is all that is left
        self.account.add(step)
        timeline = Timeline(self.account, None)
        timeline.add(step)
        return list(timeline.rows())
