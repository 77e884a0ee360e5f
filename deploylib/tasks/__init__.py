"""The tasks of `inv`, a module for each topic, listed in `tasks.py`: they load, observe, plan, show, confirm, execute.

Imports stand inside the tasks, so that `inv --list` need not load boto3, pydantic or rich.
"""
