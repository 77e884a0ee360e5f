"""What one does with what runs, between two releases: its tasks, their logs, a command in it, a shell in it."""
