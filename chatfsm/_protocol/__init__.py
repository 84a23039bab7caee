"""The wire protocol: JSON decoded to typed events, commands encoded to JSON."""
