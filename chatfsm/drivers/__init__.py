"""Drivers: the loop around a client, which waits, sends, hears, and tells what follows.

    with threads.Chat(client, send) as chat:
        chat.open()
        for effect in chat:
            ...

    async with aio.Chat(client, send) as chat:
        await chat.open()
        async for effect in chat:
            ...

`keep`, where given, is called with a record of the chat whenever it has changed and before anything
is sent; `keeping` writes it to a file, and makes the chat again from it.
"""
