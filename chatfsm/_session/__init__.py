"""What the events mean: the state machine that turns inputs into effects, without any IO."""
