"""The targets of the fuzzer hold for their first inputs and for some mutants of them."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import __main__ as command
from tests.fuzz.mutation import mutate
from tests.fuzz.targets import TARGETS

SEEDS, MUTANTS = 12, 40


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds(name: str) -> None:
    """The check passes for the first inputs and their mutants, the same ones in each run."""
    target = TARGETS[name]
    seeds = list(islice(target.seeds(), SEEDS))
    rng = random.Random(name)
    for data in seeds:
        target.check(data)
    for _ in range(MUTANTS):
        target.check(mutate(rng.choice(seeds), 1 << 16, rng))


def test_mutants_differ_and_are_bounded() -> None:
    """The same seed gives the same mutant, which is not longer than the limit."""
    seed = next(iter(TARGETS["decode_lines"].seeds()))
    mutants = [mutate(seed, 500, random.Random(number)) for number in range(50)]
    assert mutants == [mutate(seed, 500, random.Random(number)) for number in range(50)]
    assert len({*mutants, seed[:500]}) > 10
    assert max(map(len, mutants)) <= 500


def test_without_atheris_the_command_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command prints how to install atheris, which is no extra of the package."""
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda _name: None)
    assert command.main(["decode"]) == 2
    assert "pip install atheris" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["nothing"], ["decode", "--seconds", "0"]])
def test_wrong_options_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option exits with 2 and an error that names the given value."""
    with pytest.raises(SystemExit) as stop:
        command.main(words)
    assert stop.value.code == 2
    assert words[-1] in capsys.readouterr().err


LOG = """#2\tINITED cov: 10 ft: 20 corp: 3/9b exec/s: 0 rss: 40Mb
#900\tNEW    cov: 12 ft: 24 corp: 5/30b lim: 9 exec/s: 0 rss: 41Mb
stat::number_of_executed_units: 1234
stat::peak_rss_mb:              41
"""


def test_the_table_has_what_the_worker_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finding makes the exit code 1 and is counted; an input that was slow is not counted."""

    def pretend(name: str, found: Path, corpus: Path, *_rest: Any) -> str:
        assert (corpus / "seed-0").exists()
        (found / f"{name}-1").write_bytes(b"{")
        (found / f"{name}-slow").write_bytes(b"{}")
        (found / "slow-unit-0").write_bytes(b"{}")
        monkeypatch.setattr(command.time, "monotonic", lambda: 1e9)
        return LOG

    monkeypatch.setattr(command.importlib.util, "find_spec", lambda _name: "here")
    monkeypatch.setattr(command, "run_worker", pretend)
    assert command.main(["decode_lines", "--corpus", str(tmp_path)]) == 1
    head, row = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "target"
    assert row.split()[0] == "decode_lines"
    assert row.split()[2:] == ["1,234", "12", "24", "5", "41", "1"]
