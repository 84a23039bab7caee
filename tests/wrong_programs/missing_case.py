"""An app that handles the effects of the client but not those of the session."""

from typing import assert_never

from chatfsm import client_effects
from chatfsm.effects import AppEffect


def follow(effect: client_effects.ChatOpened | client_effects.LinkChanged | AppEffect) -> str:
    match effect:
        case client_effects.ChatOpened() | client_effects.LinkChanged():
            return "connection"
        case _:
            assert_never(effect)  # expect: arg-type reportArgumentType
