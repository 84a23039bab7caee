"""A small bridge: it hands texts to the contact center, one after each text from there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chatfsm import Endpoint, effects
from chatfsm.drivers.threads import Chat


def bridge(endpoint: Endpoint, texts: Iterable[str], deliver: Callable[[str], object]) -> None:
    waiting = iter(texts)
    with Chat.connect(endpoint) as chat:
        for effect in chat:
            match effect:
                case effects.MessageReceived(message) if not message.own:
                    deliver(message.text)
                    text = next(waiting, None)
                    if text is None:
                        chat.end()
                    else:
                        chat.send_text(text)
