"""The local AWS: an emulator with real containers. Only the tasks `local.…` know of it."""
