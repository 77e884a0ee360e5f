"""The tests; generated examples have no time limit: how fast a machine is, is no property of the code."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
