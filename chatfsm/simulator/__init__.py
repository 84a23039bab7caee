"""A stand-in contact center: what it says, what goes wrong, and when; without IO."""
