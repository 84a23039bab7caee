"""A bridge between a messenger with a webhook and the contact center, for many customers."""

import asyncio
import os
from base64 import b64decode, b64encode
from contextlib import suppress
from functools import partial

from aiohttp import ClientError, ClientSession, web

from chatfsm import ApiError, Endpoint, LocalProtocolError, api, commands, effects
from chatfsm.adapters.aiohttp import AsyncSender
from chatfsm.drivers import aio, sqlite

CENTER, TENANT, APP, MESSENGER, SECRET, PORT = os.environ["BRIDGE"].split()
endpoint_of = partial(Endpoint, CENTER, TENANT, APP, allow_http="//127." in CENTER)
store, locks = sqlite.SqliteStore("chats.db"), {}


class Bridge:
    async def run(self):
        async with (
            AsyncSender() as sender,
            ClientSession() as self.messenger,
            aio.Chats(sender, store=store, endpoint_of=endpoint_of) as self.chats,
            asyncio.TaskGroup() as tasks,
        ):
            app = web.Application(client_max_size=2**26)
            app.router.add_post(f"/{SECRET}", self.webhook)
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", int(PORT)).start()
            async for chat in self.chats:
                tasks.create_task(self.to_messenger(chat))

    async def webhook(self, request):  # the messenger repeats an update until the answer is 200
        update = await request.json()
        customer, is_message = update["customer"], "id" in update
        async with locks.setdefault(customer, asyncio.Lock()):  # a repetition waits
            try:
                if is_message or store.load(customer):
                    await self.to_center(await self.chats.connect(customer), update)
            except (ApiError, LocalProtocolError):  # no center, the chat is ending, no such form
                return web.Response(status=503 if is_message else 200)
        return web.Response()

    async def to_center(self, chat, update):
        match update:
            case {"id": msg_id} if msg_id in chat.client.session.outbox:
                pass  # a repetition
            case {"id": msg_id, "text": text}:
                await chat.send_text(text, msg_id=msg_id)
            case {"id": msg_id, "file": name, "content": content}:
                file = await chat.ask(api.UploadFile(name, b64decode(content)))
                await chat.send(commands.SendFile(file.file_id, "attachment", name, msg_id=msg_id))
            case {"form": request_id, "answers": answers}:
                await chat.submit_form(request_id, answers)
            case {"do": "start_typing" | "stop_typing" | "end" as action}:
                await getattr(chat, action)()

    async def to_messenger(self, chat):
        async for effect in chat:
            match effect:
                case effects.MessageReceived(message) if not message.own:
                    item = {"id": message.msg_id, "text": message.text}
                case effects.FileReceived(file) if not file.own:
                    item = {"id": file.msg_id, "file": file.file_name}
                    with suppress(ApiError):  # the center may not have it any more
                        item["content"] = b64encode(await chat.download(file)).decode()
                case effects.FormOpened(form):
                    item = {"id": f"form-{form.request_id}", "form": form.name}
                case effects.TypingStarted() | effects.TypingStopped():
                    item = {"id": "typing", "typing": bool(chat.client.session.typing)}
                case effects.MessageFailed(msg_id):
                    item = {"id": f"failed-{msg_id}", "failed": msg_id}
                case effects.Terminated(outcome):
                    item = {"id": "end", "end": outcome}
                case _:
                    continue
            url = f"{MESSENGER}/{chat.key}/{chat.client.session.chat_id}-{item['id']}"
            while True:  # what is put again under its URL replaces itself
                with suppress(ClientError):
                    async with self.messenger.put(url, json=item) as reply:
                        if reply.status < 500:
                            break
                await asyncio.sleep(1)


asyncio.run(Bridge().run())
