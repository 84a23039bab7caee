"""A line being typed on a terminal, key by key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attrs import define, field

__all__ = ["Editor"]

# A key that sends more than one character: CSI or SS3, and what follows up to the final letter.
_SEQUENCE: Final = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|[^\[O])", re.DOTALL)
_UNFINISHED: Final = re.compile(r"\x1b(\[[0-?]*[ -/]*|O)?")
_KEYS: Final = {
    **dict.fromkeys(("\x1b[D", "\x1bOD", "\x02"), "left"),
    **dict.fromkeys(("\x1b[C", "\x1bOC", "\x06"), "right"),
    **dict.fromkeys(("\x1b[H", "\x1bOH", "\x1b[1~", "\x01"), "start"),
    **dict.fromkeys(("\x1b[F", "\x1bOF", "\x1b[4~", "\x05"), "stop"),
    **dict.fromkeys(("\x7f", "\b"), "back"),
    "\x1b[3~": "delete",
    "\x15": "clear",
    "\x17": "word",
}
_END: Final = "\x04"  # Ctrl-D


@define
class Editor:
    """The text so far, and where the cursor is in it."""

    text: str = ""
    at: int = 0
    is_ended: bool = False
    """Whether Ctrl-D was typed on an empty line."""
    _rest: str = field(default="", init=False)
    """The beginning of a key that has not come whole."""

    def type(self, characters: str) -> Iterator[str]:
        """Take what a terminal sent; gives each line that was ended."""
        left = self._rest + characters
        self._rest = ""
        while left:
            if _UNFINISHED.fullmatch(left):
                self._rest = left
                return
            sequence = _SEQUENCE.match(left)
            key = sequence[0] if sequence else left[0]
            left = left[len(key) :]
            if key in "\r\n":
                line, self.text, self.at = self.text, "", 0
                yield line
            else:
                self._press(key)

    def _press(self, key: str) -> None:
        match _KEYS.get(key):
            case "left":
                self.at = max(0, self.at - 1)
            case "right":
                self.at = min(len(self.text), self.at + 1)
            case "start":
                self.at = 0
            case "stop":
                self.at = len(self.text)
            case "back":
                self._cut(max(0, self.at - 1), self.at)
            case "delete":
                self._cut(self.at, self.at + 1)
            case "clear":
                self._cut(0, self.at)
            case "word":
                self._cut(len(re.sub(r"\S*\s*$", "", self.text[: self.at])), self.at)
            case _ if key.isprintable():
                self.text = self.text[: self.at] + key + self.text[self.at :]
                self.at += len(key)
            case _:
                self.is_ended = self.is_ended or (key == _END and not self.text)

    def _cut(self, start: int, stop: int) -> None:
        self.text = self.text[:start] + self.text[stop:]
        self.at = start
