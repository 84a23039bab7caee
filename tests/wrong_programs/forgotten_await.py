"""An app that forgets to await: no command would be sent."""

from chatfsm import api
from chatfsm.drivers import aio


async def forget(chat: aio.Chat) -> None:
    chat.send_text("Is anybody there?")  # expect: unused-coroutine reportUnusedCoroutine
    chat.start_typing()  # expect: unused-coroutine reportUnusedCoroutine
    chat.ask(api.GetVersion())  # expect: unused-coroutine reportUnusedCoroutine
    chat.open()  # expect: unused-coroutine reportUnusedCoroutine
    chat.end()  # expect: unused-coroutine reportUnusedCoroutine
    chat.upload("a.txt")  # expect: unused-coroutine reportUnusedCoroutine
    chat.aclose()  # expect: unused-coroutine reportUnusedCoroutine
