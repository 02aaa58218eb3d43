"""The circuit breaker holds for every process until somebody says why it may close."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog.database import Database
from catalog.settings import PolicySettings
from migrations import audit, breaker, registry, workflow
from migrations.breaker import RecentErrors
from migrations.errors import BreakerOpenError, RefusedError
from tests.analytics import evidence
from tests.command_line import CommandLine
from tests.fix_server import FreshDatabase
from tests.migrations.fix_shop import Shop

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
USERS = "table:public.users_old"


@pytest.fixture
def installed(database: FreshDatabase) -> FreshDatabase:
    registry.install(database.db)
    return database


def test_it_is_closed_at_first(installed: FreshDatabase) -> None:
    assert breaker.state(installed.db) == breaker.BreakerState(is_open=False)
    breaker.require_closed(installed.db)


def test_once_open_it_holds_for_other_sessions_until_it_is_reset(installed: FreshDatabase) -> None:
    breaker.trip(installed.db, "the first thing")
    breaker.trip(installed.db, "the second thing")
    with Database.connect(installed.dsn()) as other:
        with pytest.raises(BreakerOpenError, match="the first thing; nothing was changed"):
            breaker.require_closed(other)
        breaker.reset(other, "understood")
    breaker.require_closed(installed.db)
    state = breaker.state(installed.db)
    assert (state.is_open, state.reason, state.because) == (False, "the first thing", "understood")
    rows = [row.content for row in audit.read(installed.db)]
    assert [row["event"] for row in rows] == ["breaker_opened", "breaker_opened", "breaker_reset"]
    assert [row["detail"]["reason"] for row in rows[:2]] == ["the first thing", "the second thing"]


def test_it_opens_again_after_a_reset(installed: FreshDatabase) -> None:
    for reason in ("one", "two"):
        breaker.trip(installed.db, reason)
        assert breaker.state(installed.db).reason == reason
        breaker.reset(installed.db, "understood")


def test_who_writes_into_the_trail_and_opens_it_waits_for_nobody_who_waits_for_him(
    installed: FreshDatabase,
) -> None:
    with (
        Database.connect(installed.dsn()) as first,
        Database.connect(installed.dsn(), lock_timeout_ms=60_000) as second,
        ThreadPoolExecutor() as threads,
    ):
        with first.transaction():
            audit.reserve(first)
            waiting = threads.submit(breaker.trip, second, "the second reason")
            asked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
            while not installed.db.fetch_value(asked):
                assert not waiting.done()
            breaker.trip(first, "the first reason")
        waiting.result()
    assert breaker.state(installed.db).reason == "the first reason"


def test_tripping_in_a_transaction_that_is_rolled_back_leaves_it_closed(installed: FreshDatabase) -> None:
    def trip_in_vain() -> None:
        with installed.db.transaction():
            breaker.trip(installed.db, "never mind")
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        trip_in_vain()
    assert not breaker.state(installed.db).is_open


@pytest.mark.parametrize("because", ["", "  "])
def test_a_reset_wants_a_reason(installed: FreshDatabase, because: str) -> None:
    breaker.trip(installed.db, "it failed")
    with pytest.raises(RefusedError, match="a reason is wanted"):
        breaker.reset(installed.db, because)
    assert breaker.state(installed.db).is_open


def test_a_closed_one_is_not_reset(installed: FreshDatabase) -> None:
    with pytest.raises(RefusedError, match="is not open"):
        breaker.reset(installed.db, "just in case")


def test_lock_failures_count_until_a_reset(installed: FreshDatabase) -> None:
    policy = PolicySettings(lock_failures_allowed=1)
    breaker.count_lock_failure(installed.db, "m1", policy)
    assert not breaker.state(installed.db).is_open
    breaker.count_lock_failure(installed.db, "m2", policy)
    assert breaker.state(installed.db).is_open
    breaker.reset(installed.db, "the report is through")
    breaker.count_lock_failure(installed.db, "m3", policy)
    assert not breaker.state(installed.db).is_open


@pytest.mark.parametrize(("errors", "is_burst"), [(0, False), (20, False), (21, True)])
def test_a_burst_is_more_than_the_policy_allows(errors: int, is_burst: bool) -> None:
    policy = PolicySettings(errors_allowed=20, errors_minutes=10)
    reason = breaker.burst(RecentErrors(NOW, errors, 2), policy)
    assert (reason is not None) == is_burst
    if reason:
        assert "21 statements failed on the former names of 2 elements since 12:00:00 UTC" in reason


@pytest.mark.parametrize(("lag_seconds", "is_too_far"), [(0.0, False), (30.0, False), (30.5, True)])
def test_a_lag_is_too_far_past_the_policy(lag_seconds: float, is_too_far: bool) -> None:
    policy = PolicySettings(max_replication_lag_seconds=30)
    assert (breaker.too_far_behind(lag_seconds, policy) is not None) == is_too_far


def test_a_burst_of_errors_on_former_names_opens_it_when_a_change_is_tried(shop18: Shop) -> None:
    inside = shop18.plan("enum:public.colour")
    shop18.apply(inside)
    now = datetime.now(UTC)
    errors = [evidence.access(now - timedelta(seconds=n), element="enum:public.colour") for n in range(30)]
    # Neither old ones, nor those of an element that is not in the attic, nor uses that succeeded count.
    errors += [evidence.access(now - timedelta(days=1), element="enum:public.colour") for _ in range(30)]
    errors += [evidence.access(now, element="table:public.orders") for _ in range(30)]
    errors += [evidence.access(now, element="enum:public.colour", outcome="ok") for _ in range(30)]
    evidence.write(shop18.settings.data.directory, "access", *errors)
    plan = shop18.plan(USERS)
    blocks = [finding for finding in plan.findings if finding.check == "breaker"]
    assert [finding.severity.value for finding in blocks] == ["block"]
    assert "30 statements failed on the former names of 1 element since" in blocks[0].message
    assert not breaker.state(shop18.db).is_open
    with pytest.raises(RefusedError):
        shop18.apply(plan)
    assert breaker.state(shop18.db).is_open
    with pytest.raises(BreakerOpenError, match="30 statements failed"):
        shop18.apply(plan)
    # Whoever resets it has looked at those.
    breaker.reset(shop18.db, "a report that nobody reads")
    found = workflow.check(shop18.db, shop18.settings, plan, datetime.now(UTC))
    assert not [finding for finding in found if finding.check == "breaker"]


def test_while_it_is_open_every_plan_is_blocked_by_it(shop18: Shop) -> None:
    breaker.trip(shop18.db, "it failed")
    finding = next(finding for finding in shop18.plan(USERS).findings if finding.check == "breaker")
    assert finding.severity.value == "block"
    assert "it failed" in finding.message


def test_the_commands_tell_its_state_and_close_it(
    installed: FreshDatabase,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    config = tmp_path / "pgattic.toml"
    config.write_text(f'[database]\ndsn = "{installed.dsn()}"\n')
    run = CommandLine(config, capsys, monkeypatch)
    ended = run("breaker", "status")
    assert (ended.code, ended.out.strip()) == (0, "closed; it was never open")
    breaker.trip(installed.db, "apply of m1 failed: [odd] reason")
    ended = run("breaker", "status")
    assert ended.code == 1
    assert "apply of m1 failed: [odd] reason" in ended.out
    told = json.loads(run("breaker", "status", "--json").out)
    assert told["is_open"]
    assert run("breaker", "reset", "--because", " ").code == 1
    assert run("breaker", "reset", "--because", "the disk was full").code == 0
    ended = run("breaker", "status")
    assert ended.code == 0
    assert "the disk was full" in ended.out
