"""What others need to test with: `conformance` tries senders, `invariants` watches sessions."""
