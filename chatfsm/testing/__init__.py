"""Testing: `conformance` checks senders; `invariants` checks sessions and clients."""
