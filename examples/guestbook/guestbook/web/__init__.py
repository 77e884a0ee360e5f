"""The guest book's page."""
