"""A guest book: the example application of this repository."""
