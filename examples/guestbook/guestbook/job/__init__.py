"""The worker: stamps what guests write."""
