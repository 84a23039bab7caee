"""Adapters: senders, which perform an `HttpRequest` with an HTTP library.

    with stdlib.Sender() as sender:
        result = sender(request)

    async with httpx.AsyncSender() as sender:
        result = await sender(request)

The result is an `HttpReply` or an `HttpFailure`. A sender never follows redirects, never sends a
request twice, and never raises for an error of the network. `close()`, or `await aclose()`, closes
what the sender has opened; a client that the caller passed in stays open. A sender keeps no
cookies, because it may serve many customers: the drivers keep them, for each chat.
"""
