"""Fixtures that every test can ask for; servers are real, one a session, with a fresh database a test."""

from hypothesis import settings

pytest_plugins = [
    "tests.fix_server",
    "tests.migrations.fix_shop",
    "tests.migrations.fix_house",
    "tests.migrations.fix_audit",
]

# How long an example takes says more about the other tests on the machine than about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
