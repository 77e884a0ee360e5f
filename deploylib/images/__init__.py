"""Images: what they are made of, whether the registry has them, how they are built and pushed."""
