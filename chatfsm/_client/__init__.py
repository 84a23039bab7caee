"""How a chat travels over HTTP, still without IO: requests with ids out, replies in."""
