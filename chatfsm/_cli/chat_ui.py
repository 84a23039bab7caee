"""Console of `chatfsm chat`: shows effects as rows, and turns input lines into commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from chatfsm import commands as c
from chatfsm import effects as f
from chatfsm._cli.prompt import Question, Screen
from chatfsm._cli.terminal_text import harmless_text
from chatfsm._cli.timeline import Row, RowStyle, Timeline
from chatfsm._session.session import ChatSession
from chatfsm.client_effects import (
    ApiFailed,
    ApiSucceeded,
    AuthorizationFailed,
    ChatEffect,
    ChatOpened,
    LinkChanged,
    Undelivered,
)
from chatfsm.drivers.threads import Chat
from chatfsm.effects import AppEffect, MessageSent, TypingStarted, TypingStopped
from chatfsm.errors import ChatError
from chatfsm.models import Form
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.stats import ChatStats

__all__ = [
    "COMMAND_HELP",
    "ChatConsole",
    "EffectFormatter",
    "FormDialog",
    "LineError",
    "ParsedLine",
    "parse_line",
]

# Effects as rows.

_LINK_TEXTS: dict[str, tuple[str, RowStyle]] = {
    "live": ("connected to the server", "good"),
    "waiting": ("the server asks to wait", "quiet"),
    "retrying": ("no connection, trying again", "bad"),
    "unauthorized": ("the credentials were refused: /resume tries again", "bad"),
    "over": ("nothing more is sent", "quiet"),
}


@define
class EffectFormatter:
    """Formats effects as rows, and remembers the names of the parties."""

    started_at: float
    """Start of the program, in seconds on the clock of `now`."""
    stats: ChatStats | None = None
    """None until the session is known."""

    def set_session(self, session: ChatSession) -> None:
        """Set the session of the chat, unless it is set."""
        if self.stats is None:
            parties = {party.party_id: party for party in session.parties}
            self.stats = ChatStats(session, first_at=self.started_at, parties=parties)

    def rows_for(self, effect: ChatEffect, now: float) -> list[Row]:
        """Return the rows of one effect, in which no text can move a cursor."""
        match effect:
            case ChatOpened(chat_id=chat_id, is_new=is_new):
                return [
                    self.make_row("chat", f"{'new' if is_new else 'continued'}: {chat_id}", now)
                ]
            case LinkChanged(state=state, why=why):
                words, style = _LINK_TEXTS[state]
                return [self.make_row("link", f"{words}{f' ({why})' if why else ''}", now, style)]
            case AuthorizationFailed(error=error) | ApiFailed(error=error):
                return [self.make_row("refused", str(error), now, "bad")]
            case Undelivered(event=event, why=why):
                return [self.make_row("undelivered", f"{event}: {why}", now, "bad")]
            case ApiSucceeded() | TypingStarted() | TypingStopped() | MessageSent():
                return []  # nothing new, or shown in the status
        return [*self._timeline_rows(effect, now), *self._download_rows(effect, now)]

    def _download_rows(self, effect: AppEffect, now: float) -> list[Row]:
        """Return a row for each file of an effect, with the command that downloads it."""
        match effect:
            case f.FileReceived(file=file):
                ids = [file.file_id]
            case f.MessageReceived(message=message):
                ids = [attachment.id for attachment in message.attachments]
            case _:
                return []
        return [self.make_row("download", f"/get {id_} PATH", now, "quiet") for id_ in ids if id_]

    def make_row(self, what: str, text: str, now: float, style: RowStyle = "state") -> Row:
        """Return a row about something other than an effect."""
        minutes, seconds = divmod(round(now - self.started_at), 60)
        return Row(f"+{minutes}:{seconds:02}", what, "", harmless_text(text), style)

    def name_of(self, party_id: str) -> str:
        """Return the name of a party, or the start of its id if it was never announced."""
        if self.stats is None:
            return ""
        return harmless_text(Timeline(self.stats, None).name_of(party_id))

    def _timeline_rows(self, effect: AppEffect, now: float) -> list[Row]:
        if self.stats is None:
            return []
        self.stats.add(now, (effect,))
        timeline = Timeline(self.stats, None)
        timeline.add(ReplayStep(0, now, (effect,)))
        return list(timeline.rows())


# Forms. The wire names a form but not its fields (PROTOCOL.md §2): only the option --form does.


@define
class FormDialog:
    """Dialog that fills in a form, field by field or in lines name=value; no repr has answers."""

    form: Form
    fields: Sequence[str] = ()
    """Names of the fields, if they are known."""
    answers: dict[str, str] = field(factory=dict, repr=False, init=False)

    @property
    def prompt(self) -> str:
        """The name of the next field, or a hint if the fields are not known."""
        if self.fields:
            return self.fields[len(self.answers)]
        return "name=value, an empty line at the end"

    def take(self, text: str) -> bool:
        """Store an answer; True if it was the last one. Raises `LineError`.

        If the fields are not known, each line of a pasted text is an answer.
        """
        if self.fields:
            self.answers[self.prompt] = text
            return len(self.answers) == len(self.fields)
        answers = [line.partition("=") for line in text.split("\n") if line.strip()]
        if not all(equals and name.strip() for name, equals, _ in answers):
            raise LineError("an answer is name=value; an empty line ends the form")
        self.answers |= {name.strip(): value.strip() for name, _, value in answers}
        return not answers


# Input lines: messages, and commands that begin with a slash.

# Name, parameters and effect of each command.
_COMMANDS: Final = (
    ("file", "PATH", "share a file"),
    ("get", "FILE_ID PATH", "download a shared file; an existing file is not overwritten"),
    ("cancel", "", "cancel the form that is asked"),
    ("call", "", "request a call; a terminal has no sound"),
    ("hangup", "", "end or decline the call"),
    ("resume", "", "try again after the credentials were refused"),
    ("disconnect", "", "end the conversation; a survey may follow"),
    ("end", "", "end the chat"),
    ("quit", "", "leave; the chat continues, see --state"),
    ("help", "", "list the commands"),
)
_PARAMETERS: Final = {name: parameters for name, parameters, _ in _COMMANDS}

COMMAND_HELP: Final = (
    *(f"/{f'{name} {parameters}':<18} {what}" for name, parameters, what in _COMMANDS),
    "//text             send a text that begins with a slash",
)
"""Lines of help, one for each command."""


class LineError(ChatError):
    """An input line that cannot be used; the text says why."""


@frozen
class ParsedLine:
    """An input line: a command and its arguments, or "" and the text of a message."""

    command: str
    arguments: tuple[str, ...]


def parse_line(text: str) -> ParsedLine:
    """Parse an input line. Raises `LineError`."""
    if not text.startswith("/"):
        return ParsedLine("", (text,))
    if text.startswith("//"):
        return ParsedLine("", (text[1:],))
    name, _, rest = text[1:].strip().partition(" ")
    if name not in _PARAMETERS:
        raise LineError(f"there is no command /{name}: /help lists the commands")
    count = len(_PARAMETERS[name].split())
    # The last argument is the rest of the line, so that a path may contain spaces.
    arguments = tuple(rest.split(maxsplit=count - 1))
    if len(arguments) != count:
        raise LineError(f"/{name} takes {_PARAMETERS[name] or 'no argument'}")
    return ParsedLine(name, arguments)


def _parse(text: str, *, is_hidden: bool) -> ParsedLine:
    """Parse a line; the error does not quote what is hidden."""
    try:
        return parse_line(text)
    except LineError:
        if not is_hidden:
            raise
        raise LineError(
            "there is no such command: an answer that begins with a slash needs two"
        ) from None


# The console.

# States of the link that the status does not show.
_HEALTHY_LINKS: Final = {"live", "over"}


@define
class ChatConsole:
    """Console of one chat: shows its effects, and does what the input lines ask for."""

    chat: Chat
    screen: Screen
    formatter: EffectFormatter
    now: Callable[[], float]
    form_fields: Mapping[str, Sequence[str]]
    """Names of the fields, by the name of the form."""
    drops_late_answers: bool = False
    """Whether the line after a secure form that is gone is dropped: it may have been meant for it.

    For plain input, whose lines are known only when they are complete.
    """
    has_left: bool = field(default=False, init=False)
    """Whether the person has left the chat."""
    is_ending: bool = field(default=False, init=False)
    """Whether the person has ended the chat; its last effects are still to come."""
    has_sent: bool = field(default=False, init=False)
    """Whether a message, an answer or a file was sent."""
    is_waiting: bool = field(default=False, init=False)
    """Whether the input has ended, and only the answers are waited for."""
    _forms: list[Form] = field(factory=list, init=False)
    """Open forms, in the order of opening; the first is asked."""
    _dialog: FormDialog | None = field(default=None, init=False)
    _typing_names: dict[str, str] = field(factory=dict, init=False)
    """Names of the parties that are typing, by id."""
    _call: str = field(default="", init=False)
    _link: str = field(default="live", init=False)
    _is_typing: bool = field(default=False, init=False)
    _late: Question | None = field(default=None, init=False)
    """The question of a secure form that is gone, until the line after it is dropped."""

    def __attrs_post_init__(self) -> None:
        """Take over the state of a chat that is continued."""
        if self.chat.client.session is not None:
            self.formatter.set_session(self.chat.client.session)
            self._call = self.chat.client.session.call
            for form in self.chat.client.session.forms:
                self._on_form_opened(form)

    @property
    def is_finished(self) -> bool:
        """Whether nothing more can happen."""
        return self.has_left or self.chat.client.done

    @property
    def status(self) -> str:
        """The question that is asked, the parties that are typing, and trouble with the link."""
        parts = (
            [f"{', '.join(self._typing_names.values())} typing ..."] if self._typing_names else []
        )
        if self._dialog is not None:
            name = harmless_text(self._dialog.form.name or "form")
            parts.insert(0, f"{name}: {harmless_text(self._dialog.prompt)}?")
        if self._link not in _HEALTHY_LINKS:
            parts.append(f"({self._link})")
        return "   ".join(parts)

    @property
    def question(self) -> Question:
        """The question that a line which begins now will answer."""
        if self._late is not None:
            return self._late
        if self._dialog is None:
            return Question()
        form = self._dialog.form
        return Question(form.request_id, is_hidden=form.secure)

    def on_effect(self, effect: ChatEffect) -> None:
        """Show an effect, and ask a form that it opens."""
        if self.chat.client.session is not None:
            self.formatter.set_session(self.chat.client.session)
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
                if self.drops_late_answers and self.question == Question(
                    form.request_id, is_hidden=True
                ):
                    self._late = self.question
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
        self._late = None
        try:
            line = _parse(text, is_hidden=question.is_hidden)
            if line.command:
                self._run_command(line)
            elif question.request_id:
                self._answer(question.request_id, line.arguments[0])
            elif line.arguments[0].strip():
                self.chat.send_text(line.arguments[0])
                self.has_sent = True
                self._show("sent", line.arguments[0], "own")
        except (ChatError, ValueError) as error:
            self._show("error", str(error), "bad")
        except OSError as error:
            self._show("error", f"{error.filename}: {error.strerror}", "bad")

    def on_edit(self, text: str, question: Question | None = None) -> None:
        """Tell the server that a message is being typed, but not of commands and answers."""
        if self.chat.client.session is None or self.chat.client.done:
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
                self.has_sent = True
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
                for line_of_help in COMMAND_HELP:
                    self._show("help", line_of_help, "plain")

    def _download(self, file_id: str, path: Path) -> None:
        content = self.chat.download(file_id)
        with path.open("xb") as file:  # x: fail if it exists
            file.write(content)
        self._show("saved", f"{len(content)} bytes in {path}", "good")

    def _cancel_form(self) -> None:
        if self._dialog is None:
            raise LineError("no form is asked")
        form = self._dialog.form
        self.chat.cancel_form(form)
        self._on_form_closed(form)

    def _answer(self, request_id: str, text: str) -> None:
        dialog = self._dialog
        if dialog is None or dialog.form.request_id != request_id:
            raise LineError("the form was closed before this answer: nothing was sent")
        if dialog.take(text):
            self.chat.submit_form(dialog.form, dialog.answers)
            self.has_sent = True
            self._on_form_closed(dialog.form)
            self._show("answered", dialog.form.name or request_id, "own")

    def _on_form_opened(self, form: Form) -> None:
        """Ask a form in its turn, unless it is a text prompt, which the next message answers."""
        self._on_form_closed(form)  # after a restart an open form is reported again
        if not form.is_text_prompt:
            self._forms.append(form)
        self._ask_next()

    def _on_form_closed(self, form: Form) -> None:
        self._forms = [other for other in self._forms if other.request_id != form.request_id]
        if self._dialog is not None and self._dialog.form.request_id == form.request_id:
            self._dialog = None
        self._ask_next()

    def _ask_next(self) -> None:
        """Ask the form that has been open longest, unless one is asked already."""
        if self._dialog is None and self._forms:
            form = self._forms[0]
            self._dialog = FormDialog(form, self.form_fields.get(form.name or "", ()))

    def _show(self, what: str, text: str, style: RowStyle) -> None:
        self.screen.show(self.formatter.make_row(what, text, self.now(), style))
