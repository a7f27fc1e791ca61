"""Property tests that find the same each time: no clock decides, and no stored example of an earlier run."""

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("repeatable")
