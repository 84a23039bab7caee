"""Senders: each turns an `HttpRequest` into an `HttpReply` or an `HttpFailure`, with one library.

    with stdlib.Sender() as send:
        answer = send(request)

    async with httpx.AsyncSender() as send:
        answer = await send(request)

A sender has no policy: it does not follow redirects, does not send twice, and does not raise for
what the network does. `close()`, or `await aclose()`, ends what the sender opened itself; a client
that was passed in stays the caller's.
"""
