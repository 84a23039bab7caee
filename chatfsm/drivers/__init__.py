"""Drivers: loops that run a client, with threads or with asyncio and trio.

    with threads.Chat.connect(endpoint, store="chat.json") as chat:
        chat.send_text("Is anybody there?")
        for effect in chat:
            ...

    async with aio.Chat.connect(endpoint, sender, store="chat.json") as chat:
        await chat.send_text("Is anybody there?")
        async for effect in chat:
            ...

A driver performs the client's requests, sends `Tick` at its deadlines, and gives the app its
effects. With a store it saves the chat after every change, before anything is sent, and restores it
after a crash.
"""
