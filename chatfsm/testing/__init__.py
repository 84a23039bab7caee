"""What others need to test with: the conformance kit for senders is in `conformance`."""
