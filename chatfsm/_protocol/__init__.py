"""What is said: the events, commands and signals of the wire, and their JSON."""
