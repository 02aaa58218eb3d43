"""The guard where something breaks right after its rollback: what is committed is known, and said once."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from catalog.database import Database
from catalog.errors import StatementFailedError
from catalog.settings import AuditSettings
from migrations import audit, breaker
from migrations.apply import apply
from migrations.guard import Action, Guard, Outcome, Report
from tests.migrations.fix_guard import ears_of, fails, settings_of
from tests.migrations.fix_house import USERS, House
from tests.waiting import PATIENCE_SECONDS


class _Unlucky(Database):
    """A session to which something happens, once, with the commit after which a table has its name back."""

    is_back: ClassVar[Callable[[], bool]]
    happens: ClassVar[list[Callable[[Database], None]]]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
        if self.happens and type(self).is_back():
            self.happens.pop()(self)


def guarded(
    house: House,
    tmp_path: Path,
    *elements: str,
    happens: Callable[[Database], None],
    sealing: AuditSettings | None = None,
) -> tuple[Report, list[str], list[Mapping[str, Any]]]:
    """Guard a migration, whose table is used at once, until nothing of it is left in the attic."""
    settings = settings_of(house, tmp_path).model_copy(update={"audit": sealing or AuditSettings()})
    ears = ears_of(house, settings)
    plan = house.plan(*elements)
    apply(house.db, plan)
    fails(house, "SELECT * FROM users_old")
    told: list[str] = []
    alerts: list[Mapping[str, Any]] = []
    ends = time.monotonic() + PATIENCE_SECONDS
    _Unlucky.is_back, _Unlucky.happens = (lambda: house.exists(str(USERS))), [happens]

    def wait() -> bool:
        time.sleep(0.05)
        return time.monotonic() < ends

    guard = Guard(
        lambda: _Unlucky.connect(house.database.dsn()),
        settings,
        ears,
        plan.id,
        Action.ROLLBACK_ELEMENT if len(elements) == 1 else Action.ROLLBACK_MIGRATION,
        tell=told.append,
        alert=alerts.append,
    )
    report = guard.run(wait)
    assert not _Unlucky.happens
    assert (report.ended, report.still_in_attic) == ("nothing was left to guard", ())
    assert house.in_attic() == []
    return report, told, alerts


def cut_off(db: Database) -> None:
    db.close()


def cut_off_before_the_answer(db: Database) -> None:
    db.close()
    raise StatementFailedError("the server closed the connection", sqlstate="08006")


@pytest.mark.parametrize("elements", [(str(USERS),), (str(USERS), "sequence:public.numbers")])
@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (cut_off, None),
        (cut_off_before_the_answer, "by a try whose answer was lost, or by somebody else"),
    ],
)
def test_what_was_committed_is_recorded_whenever_the_connection_ends(
    house18: House,
    tmp_path: Path,
    elements: tuple[str, ...],
    happens: Callable[[Database], None],
    why: str | None,
) -> None:
    report, _, alerts = guarded(house18, tmp_path, *elements, happens=happens)
    assert [(seen.outcome, seen.why) for seen in report.seen] == [(Outcome.BROUGHT_BACK, why)]
    assert "has its name back" in alerts[-1]["message"]
    # The trail and the breaker say that it was the guard.
    assert breaker.state(house18.db).is_open
    (found,) = (row.content for row in audit.read(house18.db) if row.content["event"] == "guard")
    assert found["detail"]["outcome"] == "rolled back"
    assert found["detail"]["elements"] == list(elements)[::-1]


def test_what_is_back_but_cannot_be_sealed_is_back(house18: House, tmp_path: Path) -> None:
    key_file, seals = tmp_path / "key", tmp_path / "data" / "audit.seals"
    key_file.write_text("a key of more than sixteen bytes")

    def seals_are_gone(_: Database) -> None:
        seals.unlink()
        seals.mkdir()

    report, told, alerts = guarded(
        house18, tmp_path, str(USERS), happens=seals_are_gone, sealing=AuditSettings(key_file=key_file)
    )
    assert [seen.outcome for seen in report.seen] == [Outcome.BROUGHT_BACK]
    assert any("is back, and the audit trail is not sealed: " in line for line in told)
    assert "has its name back" in alerts[-1]["message"]
    assert not any("could not" in alert["message"] for alert in alerts)
