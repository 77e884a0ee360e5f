"""The development environment: the app from the base image with its source mounted, and what it needs beside it."""
