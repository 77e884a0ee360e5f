"""AWS as it behaves, for the fast tests: state machines under one clock that only moves when somebody sleeps."""
