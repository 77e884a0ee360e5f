"""What must be on this machine. Standard library only: it runs before anything is installed."""
