"""An app that reads fields that effects do not have."""

from chatfsm import effects
from chatfsm.drivers.threads import Chat


def follow(chat: Chat) -> None:
    for effect in chat:
        match effect:
            case effects.MessageReceived(message):
                print(message.body)  # expect: attr-defined reportAttributeAccessIssue
            case effects.FormOpened(form):
                print(form.id)  # expect: attr-defined reportAttributeAccessIssue
            case effects.Terminated():
                print(effect.reason)  # expect: attr-defined reportAttributeAccessIssue
