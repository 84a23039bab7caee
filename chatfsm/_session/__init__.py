"""The session: turns events, commands and other inputs into effects, without IO."""
