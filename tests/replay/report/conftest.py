"""Reports: pages of recorded logs and their embedded data."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from chatfsm._cli import main
from chatfsm.replay.report import ReportBuilder
from tests.replay.conftest import CommandResult

TRACE = re.compile(r"trace-(\d+)")


@define
class ReportPage(HTMLParser):
    """A page as a browser parses it: its elements, and the text of each script by its id."""

    html: str
    scripts: dict[str, str] = field(factory=dict)
    styles: list[str] = field(factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(factory=list)
    _open: str | None = None

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def __attrs_post_init__(self) -> None:
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self._open = (found.get("id") or "main") if tag == "script" else None
        if tag == "style":
            self._open = "style"

    def handle_data(self, data: str) -> None:
        if self._open == "style":
            self.styles.append(data)
        elif self._open is not None:
            self.scripts[self._open] = self.scripts.get(self._open, "") + data

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._open = None

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.scripts["facts"])
        return facts

    @property
    def chats(self) -> list[dict[str, Any]]:
        chats: list[dict[str, Any]] = self.facts["chats"]
        return chats

    def trace(self, number: int = 0) -> dict[str, Any]:
        packed = base64.b64decode(self.scripts[f"trace-{number}"])
        trace: dict[str, Any] = json.loads(zlib.decompress(packed))
        return trace

    @property
    def all_data(self) -> str:
        """All texts in the data of the page."""
        numbers = [match[1] for name in self.scripts if (match := TRACE.fullmatch(name))]
        traces = [json.dumps(self.trace(int(number)), ensure_ascii=False) for number in numbers]
        return "\n".join((self.html, self.scripts["facts"], *traces))


@pytest.fixture(scope="session")
def build_page() -> Callable[..., ReportPage]:
    """Build the page of some logs."""

    def build(*logs: Path, **options: Any) -> ReportPage:
        builder = ReportBuilder(**options)
        builder.read(list(logs))
        return ReportPage(builder.page())

    return build


@pytest.fixture
def reports(
    neutral_environment: None, capsys: pytest.CaptureFixture[str]
) -> Callable[..., CommandResult]:
    """Run `chatfsm report` with these arguments in this process."""

    def run(*words: object) -> CommandResult:
        capsys.readouterr()
        try:
            status = main(["report", *map(str, words)])
        except SystemExit as stop:
            status = int(stop.code or 0)
        return CommandResult(status, *capsys.readouterr())

    return run


def effects_of(steps: Iterable[list[Any]]) -> list[str]:
    """The names of all effects, in order."""
    return [effect["effect"] for step in steps for effect in step[5]]
