"""The same replay over many logs, by several processes."""
