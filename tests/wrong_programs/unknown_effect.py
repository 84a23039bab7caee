"""An app that matches an effect that does not exist."""

from chatfsm import effects
from chatfsm.drivers.threads import Chat


def follow(chat: Chat) -> None:
    for effect in chat:
        match effect:
            case effects.MessageArrived(message):  # expect: attr-defined reportAttributeAccessIssue
                print(message)
