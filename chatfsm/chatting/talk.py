"""The talk itself: what is told is shown, and what is typed is said, asked or ordered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import define, field

from chatfsm.chatting.asking import Asking
from chatfsm.chatting.lines import HELP, Line, LineError, line_of
from chatfsm.chatting.screen import Screen
from chatfsm.chatting.wording import Wording
from chatfsm.conversation.client import ChatClient
from chatfsm.conversation.tidings import LinkChanged
from chatfsm.drivers.threads import Chat
from chatfsm.errors import ChatError
from chatfsm.protocol import commands as c
from chatfsm.recording.timeline import Tone, harmless_text
from chatfsm.session import effects as f
from chatfsm.session.values import Form

__all__ = ["Talk"]

# States of the link that are no news while all is well.
_WELL: Final = {"live", "over"}


@define
class Talk:
    """One chat and one person at a terminal."""

    chat: Chat
    client: ChatClient
    screen: Screen
    wording: Wording
    now: Callable[[], float]
    fields: Mapping[str, Sequence[str]]
    """The names of a form's fields, by the form's name, where they are known."""
    has_left: bool = field(default=False, init=False)
    """Whether the person wants no more of it."""
    is_parting: bool = field(default=False, init=False)
    """Whether the chat was told to end: what is still to come is waited for."""
    _forms: list[Form] = field(factory=list, init=False)
    """Those that are to be asked, in the order of opening."""
    _asking: Asking | None = field(default=None, init=False)
    _typists: dict[str, str] = field(factory=dict, init=False)
    """The names of the parties that type, by id."""
    _call: str = field(default="", init=False)
    _link: str = field(default="live", init=False)
    _is_typing: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        """What a chat that goes on knows already; from here on it is told."""
        if self.client.session is not None:
            self.wording.knows(self.client.session)
            self._call = self.client.session.call
            for form in self.client.session.forms:
                self._opened(form)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.has_left or self.client.done

    @property
    def status(self) -> str:
        """What passes: a question, who types, and what is wrong with the link."""
        parts = [f"{', '.join(self._typists.values())} typing ..."] if self._typists else []
        if self._asking is not None:
            name = harmless_text(self._asking.form.name or "form")
            parts.insert(0, f"{name}: {harmless_text(self._asking.question)}?")
        if self._link not in _WELL:
            parts.append(f"({self._link})")
        return "   ".join(parts)

    @property
    def is_secret(self) -> bool:
        """Whether what is being typed answers a secure form."""
        return self._asking is not None and self._asking.form.secure

    def told(self, effect: object) -> None:
        """Show what the chat tells, and ask the form that is to be asked next."""
        if self.client.session is not None:
            self.wording.knows(self.client.session)
        for row in self.wording.rows(effect, self.now()):
            self.screen.show(row)
        match effect:
            case LinkChanged(state=state):
                self._link = state
            case f.CallChanged(state=state):
                self._call = state
            case f.TypingStarted(party_id=party_id):
                self._typists[party_id] = self.wording.name_of(party_id)
            case f.TypingStopped(party_id=party_id):
                self._typists.pop(party_id, None)
            case f.FormOpened(form=form):
                self._opened(form)
            case f.FormClosed(form=form):
                self._closed(form)

    def typed(self, text: str) -> None:
        """Do what a line means; what cannot be done is shown, and changes nothing."""
        self._is_typing = False
        try:
            line = line_of(text)
            if line.order:
                self._obey(line)
            elif self._asking is not None:
                self._answer(self._asking, line.words[0])
            elif line.words[0].strip():
                self.chat.say(line.words[0])
                self._note("said", line.words[0], "own")
        except (ChatError, ValueError) as error:
            self._note("cannot", str(error), "bad")
        except OSError as error:
            self._note("cannot", f"{error.filename}: {error.strerror}", "bad")

    def pressed(self, text: str) -> None:
        """Somebody types, and has come so far; orders and answers are nobody's business."""
        if self.client.session is None or self.client.done:
            return
        is_message = bool(text) and not text.startswith("/") and self._asking is None
        if is_message:
            self.chat.typing()
        elif self._is_typing:
            self.chat.stop_typing()
        self._is_typing = is_message

    def _obey(self, line: Line) -> None:
        match line.order, line.words:
            case "file", (path,):
                self.chat.upload(Path(path).expanduser())
                self._note("shared", path, "own")
            case "get", (file_id, path):
                self._download(file_id, Path(path).expanduser())
            case "cancel", _:
                self._cancel()
            case "call", _:
                self.chat.order(c.RequestCall())
            case "hangup", _:
                self.chat.order(c.RejectCall() if self._call == "offered" else c.EndCall())
            case "resume", _:
                self.chat.resume()
            case (("disconnect" | "end"), _):
                self.is_parting = True
                (self.chat.end if line.order == "end" else self.chat.disconnect)()
            case "quit", _:
                self.has_left = True
            case _:
                for words in HELP:
                    self._note("help", words, "plain")

    def _download(self, file_id: str, path: Path) -> None:
        content = self.chat.download(file_id)
        with path.open("xb") as file:  # never over what is there already
            file.write(content)
        self._note("saved", f"{len(content)} bytes in {path}", "good")

    def _cancel(self) -> None:
        if self._asking is None:
            raise LineError("no form is being asked")
        form = self._asking.form
        self.chat.cancel(form)
        self._closed(form)

    def _answer(self, asking: Asking, words: str) -> None:
        if asking.hear(words):
            self.chat.submit(asking.form, asking.answers)
            self._closed(asking.form)
            self._note("answered", asking.form.name or asking.form.request_id, "own")

    def _opened(self, form: Form) -> None:
        """Ask a form in its turn; a text prompt is answered by what is said."""
        self._closed(form)  # which it is where the same is told again after a restart
        if not form.is_text_prompt:
            self._forms.append(form)
        self._ask_next()

    def _closed(self, form: Form) -> None:
        self._forms = [other for other in self._forms if other.request_id != form.request_id]
        if self._asking is not None and self._asking.form.request_id == form.request_id:
            self._asking = None
        self._ask_next()

    def _ask_next(self) -> None:
        """Ask the form that has waited longest."""
        if self._asking is None and self._forms:
            form = self._forms[0]
            self._asking = Asking(form, self.fields.get(form.name or "", ()))

    def _note(self, what: str, text: str, tone: Tone) -> None:
        self.screen.show(self.wording.row(what, text, self.now(), tone))
