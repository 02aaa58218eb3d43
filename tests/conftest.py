"""Fixtures that every test can ask for; servers are real, one a session, with a fresh database a test."""

pytest_plugins = [
    "tests.fix_server",
    "tests.migrations.fix_shop",
    "tests.migrations.fix_house",
    "tests.migrations.fix_audit",
]
