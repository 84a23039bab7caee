"""An app that misuses the result of a request, and passes requests as commands."""

from chatfsm import api, commands
from chatfsm.drivers.threads import Chat


def use(chat: Chat) -> None:
    version: str = chat.ask(api.GetVersion())  # expect: assignment reportAssignmentType
    print(version, chat.open().case_id)  # expect: attr-defined reportAttributeAccessIssue
    print(chat.ask(api.GetActiveChat()).chat_id)  # expect: union-attr reportOptionalMemberAccess
    chat.ask(commands.End())  # expect: arg-type reportArgumentType
    chat.send(api.GetVersion())  # expect: arg-type reportArgumentType
    print(chat.client.chat)  # expect: attr-defined reportAttributeAccessIssue
