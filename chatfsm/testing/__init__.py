"""Testing: `judge` for clients, `conformance` for senders, `invariants` for sessions."""
