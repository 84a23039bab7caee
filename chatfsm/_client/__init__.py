"""The client: one chat over HTTP, still without IO. Requests out, replies in."""
