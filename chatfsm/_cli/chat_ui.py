"""The talk itself: what is told is shown, and what is typed is said, asked or ordered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from attrs import define, field, frozen

from chatfsm import commands as c
from chatfsm import effects as f
from chatfsm._cli.prompt import Question, Screen
from chatfsm._cli.timeline import Row, RowStyle, Timeline, harmless_text
from chatfsm._client.client import ChatClient
from chatfsm._session.session import ChatSession
from chatfsm.client_effects import (
    ApiFailed,
    ApiSucceeded,
    AuthorizationFailed,
    ChatOpened,
    LinkChanged,
    Undelivered,
)
from chatfsm.drivers.threads import Chat
from chatfsm.effects import Effect, MessageSent, TypingStarted, TypingStopped
from chatfsm.errors import ChatError
from chatfsm.models import Form
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.stats import ChatStats

__all__ = [
    "COMMAND_HELP",
    "ChatConsole",
    "EffectFormatter",
    "FormDialog",
    "LineBuffer",
    "LineError",
    "ParsedLine",
    "parse_line",
]

# What the chat tells, as rows for people: as a replayed timeline has them, and the link's own.

_LINK_TEXTS: dict[str, tuple[str, RowStyle]] = {
    "live": ("connected to the server", "good"),
    "waiting": ("the server asks for patience", "quiet"),
    "retrying": ("no connection, trying again", "bad"),
    "unauthorized": ("the credentials were refused: /resume tries again", "bad"),
    "over": ("nothing more is sent", "quiet"),
}


@define
class EffectFormatter:
    """Finds words for what is told, and remembers who is who."""

    started_at: float
    """When the program began, on the clock of `now`."""
    account: ChatStats | None = None

    def set_session(self, session: ChatSession) -> None:
        """The chat's session is known from here on."""
        if self.account is None:
            met = {party.party_id: party for party in session.parties}
            self.account = ChatStats(session, first_at=self.started_at, parties=met)

    def rows_for(self, effect: object, now: float) -> list[Row]:
        """What to show of one effect; all of it is harmless to a terminal."""
        match effect:
            case ChatOpened(chat_id=chat_id, is_new=is_new):
                return [self.make_row("chat", f"{'new' if is_new else 'went on'}: {chat_id}", now)]
            case LinkChanged(state=state, why=why):
                words, tone = _LINK_TEXTS[state]
                return [self.make_row("link", f"{words}{f' ({why})' if why else ''}", now, tone)]
            case AuthorizationFailed(error=error) | ApiFailed(error=error):
                return [self.make_row("refused", str(error), now, "bad")]
            case Undelivered(event=event, why=why):
                return [self.make_row("undelivered", f"{event}: {why}", now, "bad")]
            case ApiSucceeded() | TypingStarted() | TypingStopped() | MessageSent():
                return []  # what is usual, or is shown while it lasts
        return self._timeline_rows(effect, now)

    def make_row(self, what: str, text: str, now: float, tone: RowStyle = "state") -> Row:
        """A row about something that is no effect."""
        minutes, seconds = divmod(round(now - self.started_at), 60)
        return Row(f"+{minutes}:{seconds:02}", what, "", harmless_text(text), tone)

    def name_of(self, party_id: str) -> str:
        """What to call a party."""
        if self.account is None:
            return ""
        return harmless_text(Timeline(self.account, None).name_of(party_id))

    def _timeline_rows(self, effect: object, now: float) -> list[Row]:
        if self.account is None:
            return []
        step = ReplayStep(0, now, (cast("Effect", effect),))  # which is all that is left
        self.account.add(now, step.effects)
        timeline = Timeline(self.account, None)
        timeline.add(step)
        return list(timeline.rows())


# A form being answered: field by field where its fields are known, else in lines name=value.
#
# The wire names a form and not its fields (PROTOCOL.md §2), so they are known where the caller says
# so. Nothing here is shown or kept: it may be secret.


@define
class FormDialog:
    """The answers so far, and what is asked next; in no repr."""

    form: Form
    fields: Sequence[str] = ()
    """The names of the fields, where they are known."""
    answers: dict[str, str] = field(factory=dict, repr=False, init=False)

    @property
    def question(self) -> str:
        """What to ask next."""
        if self.fields:
            return self.fields[len(self.answers)]
        return "name=value, an empty line at the end"

    def take(self, text: str) -> bool:
        """Store an answer; True if it was the last one. Raises `LineError`.

        If the fields are not known, each line of a pasted text is an answer.
        """
        if self.fields:
            self.answers[self.question] = text
            return len(self.answers) == len(self.fields)
        answers = [line.partition("=") for line in text.split("\n") if line.strip()]
        if not all(equals and name.strip() for name, equals, _ in answers):
            raise LineError("an answer is name=value; an empty line ends the form")
        self.answers |= {name.strip(): value.strip() for name, _, value in answers}
        return not answers


# What a line that somebody typed means: something to say, or an order that begins with a slash.

# Each order, what it takes, and what it does.
_COMMANDS: Final = (
    ("file", "PATH", "share a file"),
    ("get", "FILE_ID PATH", "download a file that was shared; an existing one is not replaced"),
    ("cancel", "", "refuse the form that is being asked"),
    ("call", "", "ask for a call; there is no sound in a terminal"),
    ("hangup", "", "end the call, or decline it"),
    ("resume", "", "go on after the credentials were refused"),
    ("disconnect", "", "end the conversation; a survey may follow"),
    ("end", "", "end the chat"),
    ("quit", "", "leave; the chat goes on, see --state"),
    ("help", "", "show this"),
)
# How many words each takes; the last one is the rest of the line, so that paths may hold blanks.
_ARGUMENT_COUNTS: Final = {name: len(takes.split()) for name, takes, _ in _COMMANDS}

COMMAND_HELP: Final = (
    *(f"/{f'{name} {takes}':<18} {what}" for name, takes, what in _COMMANDS),
    "//text             say a text that begins with a slash",
)
"""The orders, a line each."""


class LineError(ChatError):
    """A line that means nothing; the text says why."""


@frozen
class ParsedLine:
    """What was typed: an order and what it takes, or, with an empty order, a text to say."""

    command: str
    arguments: tuple[str, ...]


def parse_line(text: str) -> ParsedLine:
    """What a line means. Raises `LineError`."""
    if not text.startswith("/"):
        return ParsedLine("", (text,))
    if text.startswith("//"):
        return ParsedLine("", (text[1:],))
    name, _, rest = text[1:].strip().partition(" ")
    if name not in _ARGUMENT_COUNTS:
        raise LineError(f"there is no /{name}: /help shows what there is")
    words = (
        tuple(rest.split(maxsplit=_ARGUMENT_COUNTS[name] - 1))
        if rest and _ARGUMENT_COUNTS[name]
        else ()
    )
    if len(words) != _ARGUMENT_COUNTS[name] or (rest.strip() and not _ARGUMENT_COUNTS[name]):
        takes = next(takes for order, takes, _ in _COMMANDS if order == name)
        raise LineError(f"/{name} takes {takes or 'nothing'}")
    return ParsedLine(name, words)


def _parse(text: str, *, is_hidden: bool) -> ParsedLine:
    """Parse a line; the error does not quote what is hidden."""
    try:
        return parse_line(text)
    except LineError:
        if not is_hidden:
            raise
        raise LineError("there is no such command: // begins an answer with a slash") from None


# States of the link that are no news while all is well.
_HEALTHY_LINKS: Final = {"live", "over"}


@define
class ChatConsole:
    """One chat and one person at a terminal."""

    chat: Chat
    client: ChatClient
    screen: Screen
    formatter: EffectFormatter
    now: Callable[[], float]
    form_fields: Mapping[str, Sequence[str]]
    """The names of a form's fields, by the form's name, where they are known."""
    has_left: bool = field(default=False, init=False)
    """Whether the person wants no more of it."""
    is_ending: bool = field(default=False, init=False)
    """Whether the chat was told to end: what is still to come is waited for."""
    _forms: list[Form] = field(factory=list, init=False)
    """Those that are to be asked, in the order of opening."""
    _dialog: FormDialog | None = field(default=None, init=False)
    _typing_names: dict[str, str] = field(factory=dict, init=False)
    """The names of the parties that type, by id."""
    _call: str = field(default="", init=False)
    _link: str = field(default="live", init=False)
    _is_typing: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        """What a chat that goes on knows already; from here on it is told."""
        if self.client.session is not None:
            self.formatter.set_session(self.client.session)
            self._call = self.client.session.call
            for form in self.client.session.forms:
                self._on_form_opened(form)

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.has_left or self.client.done

    @property
    def status(self) -> str:
        """What passes: a question, who types, and what is wrong with the link."""
        parts = (
            [f"{', '.join(self._typing_names.values())} typing ..."] if self._typing_names else []
        )
        if self._dialog is not None:
            name = harmless_text(self._dialog.form.name or "form")
            parts.insert(0, f"{name}: {harmless_text(self._dialog.question)}?")
        if self._link not in _HEALTHY_LINKS:
            parts.append(f"({self._link})")
        return "   ".join(parts)

    @property
    def question(self) -> Question:
        """The question that a line which begins now will answer."""
        if self._dialog is None:
            return Question()
        form = self._dialog.form
        return Question(form.request_id, is_hidden=form.secure)

    def on_effect(self, effect: object) -> None:
        """Show what the chat tells, and ask the form that is to be asked next."""
        if self.client.session is not None:
            self.formatter.set_session(self.client.session)
        for row in self.formatter.rows_for(effect, self.now()):
            self.screen.show(row)
        match effect:
            case LinkChanged(state=state):
                self._link = state
            case f.CallChanged(state=state):
                self._call = state
            case f.TypingStarted(party_id=party_id):
                self._typing_names[party_id] = self.formatter.name_of(party_id)
            case f.TypingStopped(party_id=party_id):
                self._typing_names.pop(party_id, None)
            case f.FormOpened(form=form):
                self._on_form_opened(form)
            case f.FormClosed(form=form):
                self._on_form_closed(form)

    def leave(self) -> None:
        """Leave the chat, which goes on at the server."""
        self.has_left = True

    def on_line(self, text: str, question: Question | None = None) -> None:
        """Send a message, answer a form or run a command; a refusal is shown as a row.

        `question`: the one that was asked when the line was begun; by default the present one.
        """
        self._is_typing = False
        question = question or self.question
        try:
            line = _parse(text, is_hidden=question.is_hidden)
            if line.command:
                self._run_command(line)
            elif question.request_id:
                self._answer(question.request_id, line.arguments[0])
            elif line.arguments[0].strip():
                self.chat.send_text(line.arguments[0])
                self._show("said", line.arguments[0], "own")
        except (ChatError, ValueError) as error:
            self._show("cannot", str(error), "bad")
        except OSError as error:
            self._show("cannot", f"{error.filename}: {error.strerror}", "bad")

    def on_edit(self, text: str, question: Question | None = None) -> None:
        """Tell the server that a message is being typed, but not of commands and answers."""
        if self.client.session is None or self.client.done:
            return
        is_answer = (question or self.question).request_id != ""
        is_message = bool(text) and not text.startswith("/") and not is_answer
        if is_message:
            self.chat.start_typing()
        elif self._is_typing:
            self.chat.stop_typing()
        self._is_typing = is_message

    def _run_command(self, line: ParsedLine) -> None:
        match line.command, line.arguments:
            case "file", (path,):
                self.chat.upload(Path(path).expanduser())
                self._show("shared", path, "own")
            case "get", (file_id, path):
                self._download(file_id, Path(path).expanduser())
            case "cancel", _:
                self._cancel_form()
            case "call", _:
                self.chat.send(c.RequestCall())
            case "hangup", _:
                self.chat.send(c.RejectCall() if self._call == "offered" else c.EndCall())
            case "resume", _:
                self.chat.resume()
            case (("disconnect" | "end"), _):
                self.is_ending = True
                (self.chat.end if line.command == "end" else self.chat.disconnect)()
            case "quit", _:
                self.has_left = True
            case _:
                for words in COMMAND_HELP:
                    self._show("help", words, "plain")

    def _download(self, file_id: str, path: Path) -> None:
        content = self.chat.download(file_id)
        with path.open("xb") as file:  # never over what is there already
            file.write(content)
        self._show("saved", f"{len(content)} bytes in {path}", "good")

    def _cancel_form(self) -> None:
        if self._dialog is None:
            raise LineError("no form is being asked")
        form = self._dialog.form
        self.chat.cancel_form(form)
        self._on_form_closed(form)

    def _answer(self, request_id: str, text: str) -> None:
        dialog = self._dialog
        if dialog is None or dialog.form.request_id != request_id:
            raise LineError("the form was closed before this answer: nothing was sent")
        if dialog.take(text):
            self.chat.submit_form(dialog.form, dialog.answers)
            self._on_form_closed(dialog.form)
            self._show("answered", dialog.form.name or request_id, "own")

    def _on_form_opened(self, form: Form) -> None:
        """Ask a form in its turn; a text prompt is answered by what is said."""
        self._on_form_closed(form)  # which it is where the same is told again after a restart
        if not form.is_text_prompt:
            self._forms.append(form)
        self._ask_next()

    def _on_form_closed(self, form: Form) -> None:
        self._forms = [other for other in self._forms if other.request_id != form.request_id]
        if self._dialog is not None and self._dialog.form.request_id == form.request_id:
            self._dialog = None
        self._ask_next()

    def _ask_next(self) -> None:
        """Ask the form that has waited longest."""
        if self._dialog is None and self._forms:
            form = self._forms[0]
            self._dialog = FormDialog(form, self.form_fields.get(form.name or "", ()))

    def _show(self, what: str, text: str, tone: RowStyle) -> None:
        self.screen.show(self.formatter.make_row(what, text, self.now(), tone))


@define
class LineBuffer:
    """Splits the input of a pipe into lines for a console."""

    console: ChatConsole
    _rest: str = field(default="", init=False)

    def add(self, text: str | None) -> None:
        """Take a piece of the input; at its end, None, leave unless the chat is ending."""
        *lines, self._rest = (self._rest + (text or "")).split("\n")
        if text is None and self._rest:
            lines.append(self._rest)
        for line in lines:
            if not self.console.is_finished:
                self.console.on_line(line.removesuffix("\r"))
        if text is None and not self.console.is_ending:
            self.console.leave()
