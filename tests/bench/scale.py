"""How much is measured: all of it, or as much as fits into a minute."""

from __future__ import annotations

from typing import Final

from attrs import frozen

__all__ = ["FULL", "QUICK", "Scale"]


@frozen(kw_only=True)
class Scale:
    """The sizes of the workloads; slow peers hear fewer chats, since times are an event."""

    rounds: int
    chats: int
    transitions_chats: int
    automat_chats: int
    statemachine_chats: int
    command_chats: int
    command_rounds: int
    """Each takes seconds, and starts processes."""
    open_sessions: int
    heavy_sessions: int
    """Of peers whose sessions take tens of kilobytes."""
    long_blocks: int
    counted_chats: int
    """Of which the instructions are counted, which takes a minute a library; 0: they are not."""
    starts: int


FULL: Final = Scale(
    rounds=11,
    chats=2_000,
    transitions_chats=200,
    automat_chats=200,
    statemachine_chats=40,
    command_chats=20_000,
    command_rounds=5,
    open_sessions=100_000,
    heavy_sessions=500,
    long_blocks=1_000,
    counted_chats=100,
    starts=21,
)

QUICK: Final = Scale(
    rounds=7,
    chats=200,
    transitions_chats=20,
    automat_chats=20,
    statemachine_chats=3,
    command_chats=200,
    command_rounds=3,
    open_sessions=2_000,
    heavy_sessions=50,
    long_blocks=32,
    counted_chats=0,
    starts=15,
)
