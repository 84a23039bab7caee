"""Terminal text: texts that cannot harm a terminal, and streams that can print every text."""

from __future__ import annotations

import sys
import unicodedata
from io import TextIOWrapper
from typing import Final

__all__ = ["harmless_text", "prepare_streams", "print_error"]

# Joiners inside emoji and some scripts. All other format characters can change how a line reads.
_JOINERS: Final = {"\u200c", "\u200d"}


def harmless_text(text: str) -> str:
    """Escape all characters that can move the cursor, change colours or turn the text direction."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_harmless(character) for character in text)


def _harmless(character: str) -> str:
    if character == "\n":
        return "⏎"
    kind = unicodedata.category(character)
    if kind in {"Cc", "Cf", "Cs", "Zl", "Zp"} and character not in _JOINERS:
        return character.encode("unicode_escape").decode()
    return character


def print_error(error: object) -> None:
    """Print an error or a note on standard error; the name of a file in it may have any character.

    Without a standard error, as under pythonw, there is nothing to print to.
    """
    if sys.stderr is not None:
        sys.stderr.write(f"chatfsm: {harmless_text(str(error))}\n")


def prepare_streams() -> None:
    """Let both outputs escape the characters that their encoding lacks, in place of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
