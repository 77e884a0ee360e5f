"""Which images stay and which go: in the registry of an environment, and on this machine."""
