"""Sizes of the measurements: the full ones, and quick ones that take a minute."""

from __future__ import annotations

from typing import Final

from attrs import frozen

__all__ = ["FULL", "QUICK", "Scale"]


@frozen(kw_only=True)
class Scale:
    """Sizes of the workloads; slow peers get fewer chats, since times are per event."""

    rounds: int
    chats: int
    transitions_chats: int
    automat_chats: int
    statemachine_chats: int
    command_chats: int
    command_rounds: int
    """Rounds of whole processes, each of which takes seconds."""
    open_sessions: int
    heavy_sessions: int
    """Sessions of peers whose sessions take tens of kilobytes."""
    long_blocks: int
    counted_chats: int
    """Chats whose instructions are counted, a minute for each library; 0 disables counting."""
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
