"""The guard: hears after an apply what fails on former names, on any server, and brings it back."""

from migrations.guard.guarding import Action, Guard, Outcome, Report, Seen, migration_to_guard

__all__ = ["Action", "Guard", "Outcome", "Report", "Seen", "migration_to_guard"]
