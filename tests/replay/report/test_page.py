"""The page: its figures match metrics and replay, and no text can inject markup."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import chatfsm
from chatfsm.effects import to_json
from chatfsm.replay import MetricsReport, measure_logs, replay_logs
from chatfsm.replay.report import ReportBuilder
from chatfsm.replay.report import builder as builder_module
from chatfsm.replay.report.page import SCRIPTS, script_safe
from chatfsm.settings import Settings
from tests.replay.conftest import Wire
from tests.replay.report.conftest import ReportPage, effects_of

Build = Callable[..., ReportPage]
Log = Callable[..., Path]

HOSTILE = (
    "</script><script>document.title='taken'</script><!-- <img src=x onerror=\"alert(1)\"> &amp;"
)


def test_the_figures_are_those_of_the_metrics(build_page: Build, recorded: list[Path]) -> None:
    """Totals, agents and chats equal the results of `chatfsm.replay.metrics`."""
    report = MetricsReport(threshold=10.0)
    for chat in measure_logs(recorded):
        report.add(chat)
    expected: Any = json.loads(json.dumps(report.to_json()))
    page = build_page(*recorded, threshold=10.0)
    assert page.facts["totals"] == expected["totals"]
    assert page.facts["threshold"] == 10.0
    agents = [agent for agent in expected["agents"] if len(agent["display_name"]) < 4_000]
    assert [agent for agent in page.facts["agents"] if agent in agents] == agents
    assert len(page.facts["agents"]) == len(expected["agents"])
    for shown, measured in zip(page.chats, expected["chats"], strict=True):
        del measured["agents"]  # ids in the metrics, names on the page
        assert {name: shown[name] for name in measured} == measured


def test_a_trace_has_every_step_of_the_replay(build_page: Build, recorded: list[Path]) -> None:
    """Steps, times, inputs, effects and findings equal those of a replay with `explain`."""
    page = build_page(*recorded)
    steps: dict[str, list[Any]] = {}
    chats = replay_logs(
        recorded,
        settings=Settings(explain=True),
        on_step=lambda chat, step: steps.setdefault(chat.session.chat_id, []).append(step),
        prefers_received=True,
    )
    finished = list(chats)
    assert len(finished) == len(page.chats)
    for chat, row in zip(finished, page.chats, strict=True):
        assert row["chat_id"] == chat.session.chat_id
        assert row["findings"] == chat.stats.findings()
        assert row["state"] == chat.session.state
        trace, replayed = page.trace(row["trace"]), steps[chat.session.chat_id]
        assert (trace["start"], trace["omitted"]) == (chat.stats.first_at, 0)
        assert row["steps"] == len(trace["steps"]) == len(replayed)
        names = [to_json(effect)["effect"] for step in replayed for effect in step.effects]
        assert effects_of(trace["steps"]) == names
        late = sum(step[6] for step in trace["steps"])
        assert late == chat.stats.findings().get("late", 0)


def test_each_step_has_its_file_and_its_line(build_page: Build, log: Log, wire: Wire) -> None:
    """Steps that waited for a first time have their own line; a deadline has the next event's."""
    first = log("a.jsonl", wire.status("queued"), wire.joins("7", "Ana"), wire.types("7", at=5))
    second = log("b.jsonl", "\n", wire.says("7", "Hello", at=100), wire.ended(at=101))
    page = build_page(first, second, is_scrubbed=False)
    assert [one["name"] for one in page.facts["inputs"]] == [str(first), str(second)]
    [one, two] = page.chats
    places = [(step[1], step[2], step[3]) for step in page.trace(one["trace"])["steps"]]
    assert places == [(0, 0, "line 1"), (0, 0, "line 2"), (0, 0, "line 3")]
    assert [step[3] for step in page.trace(two["trace"])["steps"]] == ["line 2", "line 3"]
    both = log("c.jsonl", wire.types("7", at=5), wire.says("7", "Hello", at=100))
    steps = build_page(both).trace()["steps"]
    assert [(step[0], step[1], step[3]) for step in steps] == [
        (0, 0, "line 1"),
        (1, 30, "line 2"),  # the typing indicator times out
        (1, 95, "line 2"),
    ]
    assert steps[1][4] == {"input": "tick"}


def test_a_chat_without_any_time(build_page: Build, log: Log, wire: Wire) -> None:
    """Steps that wait until the end of the file have their own lines."""
    page = build_page(log("a.jsonl", wire.status("queued"), wire.ended()))
    assert [step[3] for step in page.trace()["steps"]] == ["line 1", "line 2"]
    assert page.chats[0]["started_at"] is None


def test_a_long_chat_keeps_its_beginning_and_its_end(
    build_page: Build, log: Log, wire: Wire
) -> None:
    """The page holds the number and the position of the omitted steps."""
    path = log("a.jsonl", *(wire.says("7", f"text {n}", msg_id=str(n), at=n) for n in range(50)))
    page = build_page(path, max_steps=5)
    trace = page.trace()
    assert [step[0] for step in trace["steps"]] == [0, 1, 2, 48, 49]
    assert (trace["omitted"], trace["at"], page.chats[0]["steps"]) == (45, 3, 50)


def test_only_the_first_chats_have_traces(build_page: Build, recorded: list[Path]) -> None:
    """All chats are in the table and in the totals."""
    page = build_page(*recorded, max_chats=3)
    assert len([name for name in page.scripts if name.startswith("trace-")]) == 3
    assert len([chat for chat in page.chats if "trace" in chat]) == 3
    assert page.facts["totals"]["chats"] == len(page.chats) > 3


def test_a_table_has_an_end(
    build_page: Build, recorded: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chats beyond the limit of the table are in the totals; the page shows their number."""
    monkeypatch.setattr(builder_module, "MAX_ROWS", 4)
    page = build_page(*recorded)
    assert len(page.chats) == 4
    assert page.facts["more_chats"] == page.facts["totals"]["chats"] - 4 > 0


def test_long_texts_are_cut(build_page: Build, log: Log, wire: Wire) -> None:
    """A very long text, list or object is cut, so that the page stays small."""
    odd = {f"field {n}": n for n in range(1_000)}
    path = log(
        "a.jsonl", wire.says("7", "x" * 100_000, at=1), wire.unknown(list=[1] * 9_999, **odd)
    )
    page = build_page(path)
    assert "x" * 4_000 + "… (100,000 characters)" in page.all_data
    assert "x" * 4_001 not in page.all_data
    raw = page.trace()["steps"][1][5][0]["raw"]
    assert raw["list"][-1] == "… (9,999 items)"
    assert (len(raw["list"]), len(raw), raw["…"]) == (201, 201, "(1,002 members)")


def test_no_text_ends_its_element(build_page: Build, log: Log, wire: Wire) -> None:
    """Hostile ids, names, texts and titles change neither the elements nor the policy."""
    path = log(
        "a.jsonl",
        {**wire.joins(HOSTILE, HOSTILE, at=1), "chat_id": HOSTILE},
        {**wire.says(HOSTILE, HOSTILE, msg_id=HOSTILE, at=2), "chat_id": HOSTILE},
        {**wire.event(HOSTILE, at=3), "chat_id": HOSTILE},
    )
    harmless = build_page(log("b.jsonl", wire.status("queued", at=1)), title="calm")
    page = build_page(path, title=f"<!-- data -->{HOSTILE}", command=HOSTILE)
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in harmless.tags]
    assert page.facts["title"].endswith(HOSTILE)
    assert page.facts["command"] == HOSTILE
    assert page.chats[0]["chat_id"] == HOSTILE
    assert page.trace()["steps"][1][5][0]["message"]["text"] == HOSTILE
    assert "<!--" not in page.scripts["facts"]
    assert page.scripts["facts"].isascii()


def test_the_policy_allows_the_pages_own_script_alone(
    build_page: Build, recorded: list[Path]
) -> None:
    """The policy allows the script by its hash; there are no resources or inline handlers."""
    page = build_page(recorded[0])
    [policy] = [found["content"] for tag, found in page.tags if "http-equiv" in found]
    script, style = page.scripts["main"], "".join(page.styles)
    assert policy == (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    names = {name for _, found in page.tags for name in found}
    assert not {name for name in names if name.startswith("on")} & names
    assert not names & {"src", "style", "srcdoc", "action"}
    assert {found["href"] for _, found in page.tags if "href" in found} == {"#main"}
    assert "@import" not in style
    assert "url(http" not in style


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}"


def test_the_scripts_take_no_markup() -> None:
    """The scripts set text as text: none parses HTML or evaluates code."""
    folder = Path(chatfsm.__file__).parent / "replay" / "report" / "assets"
    assert sorted(path.name for path in folder.glob("*.js")) == sorted(SCRIPTS)
    for name in SCRIPTS:
        text = (folder / name).read_text("utf-8")
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(", text
        )
        assert found == [], name
        assert "</script" not in text


def test_json_in_a_script() -> None:
    """Characters that could end a script element are escaped; the value is unchanged."""
    text = json.dumps([HOSTILE])
    assert not set("<>&") & set(script_safe(text))
    assert json.loads(script_safe(text)) == [HOSTILE]


def test_the_same_logs_give_the_same_page(recorded: list[Path]) -> None:
    """The page is identical, byte for byte: it holds no creation time."""
    pages = []
    for _ in range(2):
        builder = ReportBuilder()
        builder.read(recorded[:5])
        pages.append(builder.page())
    assert pages[0] == pages[1]


def test_a_file_that_cannot_be_read_is_noted(build_page: Build, log: Log, wire: Wire) -> None:
    """The other files are in the report; the unreadable one is noted among the inputs."""
    good = log("a.jsonl", wire.status("queued", at=1))
    page = build_page(good, good.with_name("missing.jsonl"))
    notes = {one["name"]: one["notes"] for one in page.facts["inputs"]}
    assert notes[str(good)] == []
    assert notes[str(good.with_name("missing.jsonl"))] == [
        "cannot be read: No such file or directory"
    ]
    assert len(page.chats) == 1


def test_the_version_is_named(build_page: Build, recorded: list[Path]) -> None:
    """The page names the version of chatfsm."""
    assert build_page(recorded[0]).facts["version"] == chatfsm.__version__
