"""From records to uses: the former and the deprecated name, what is implicit, what counts once."""

from datetime import timedelta

import pytest

from ingest.accesses import Reader
from ingest.csvlog import read_records
from ingest.world import History
from tests.ingest.fix_ingest import DEPRECATED, NOON, entry, missing, record, shop

AFTER = NOON + timedelta(minutes=5)
BEFORE = NOON - timedelta(minutes=5)


def uses(*records: bytes) -> list[str]:
    """What the records tell, as `outcome operation element` and marks."""
    found = Reader(History(shop())).observe(read_records(b"".join(records)).records)
    return [
        " ".join(
            [
                each.outcome,
                each.use.operation,
                str(each.use.element).replace("public.", ""),
                *(["implicit"] if each.use.implicit else []),
                *(["ambiguous"] if each.use.ambiguous else []),
                *([f"via {each.use.via}"] if each.use.via else []),
            ]
        )
        for each in found
    ]


def failed(sqlstate: str, message: str, sql: str, token: str | None = None, **more: object) -> bytes:
    """An error record; its position is where the token stands in the statement."""
    position = sql.index(token) + 1 if token else None
    return record(message, sqlstate=sqlstate, sql=sql, position=position, at=AFTER, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"select id from {DEPRECATED}", ["read table:users_old", "read column:users_old.id"]),
        ("select total from public.orders", ["read table:orders", "read column:orders.total"]),
        ("select legacy_dep from public.orders", ["read table:orders", "read column:orders.legacy"]),
        (
            "select archived from orders",
            [
                "read table:orders ambiguous",
                "read table:archive.orders ambiguous",
                "read column:archive.orders.archived",
            ],
        ),
        (
            "select id from old_people",
            [
                "read view:old_people",
                "read table:users_old via view:public.old_people",
                "read column:users_old.email implicit via view:public.old_people",
            ],
        ),
        (
            "select id from old_names",
            [
                "read view:old_names",
                "read view:old_people via view:public.old_names",
                "read table:users_old via view:public.old_names",
                "read column:users_old.email implicit via view:public.old_names",
            ],
        ),
        ("select 1 from users where 'x'::mood_dep is null", ["read table:users", "read enum:mood"]),
        ("reindex index orders_idx_dep", ["ddl index:orders_idx"]),
        (f"insert into {DEPRECATED} values (1, 'x')", [
            "write table:users_old",
            "write column:users_old.id implicit",
            "write column:users_old.email implicit",
        ]),
        # Its line comes before it fails: the error line will tell.
        ("select * from users_old", []),
        ("select * from nothing", []),
    ],
)  # fmt: skip
def test_a_logged_statement_uses(sql: str, expected: list[str]) -> None:
    assert uses(record(f"statement: {sql}", at=AFTER)) == [f"ok {each}" for each in expected]


def test_before_the_rename_the_former_name_was_in_use() -> None:
    found = uses(record("statement: select email from users_old", at=BEFORE))
    assert found == ["ok read table:users_old", "ok read column:users_old.email"]


def test_a_statement_that_succeeded_under_the_former_name_is_a_use() -> None:
    line = record("duration: 0.3 ms  statement: select 1 from users_old", at=AFTER)
    assert uses(line) == ["ok read table:users_old ambiguous"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (missing("users_old", "select * from users_old", at=AFTER), ["read table:users_old"]),
        (missing("users_old", 'delete from "users_old"', at=AFTER), []),
        (failed("42P01", "x", 'delete from "users_old"', '"users_old'), ["write table:users_old"]),
        (failed("42P01", "x", "select * from public . users_old", "public"), ["read table:users_old"]),
        (failed("42P01", "x", "select * from archive.users_old", "archive"), []),
        (failed("42P01", "x", "select 'USERS_OLD'::regclass", "'USERS"), ["read table:users_old"]),
        (failed("42P01", "x", "select nextval('public.users_old')", "'public"), ["read table:users_old"]),
        (failed("42P01", 'relation "users_old" does not exist', "copy users_old to stdout"), [
            "read table:users_old"
        ]),
        (failed("42P01", "Relation »users_old« existiert nicht", "truncate users_old"), [
            "write table:users_old"
        ]),
        (failed("42P01", "relation « public.users_old » n'existe pas", "drop table public.users_old"), [
            "ddl table:users_old"
        ]),
        # No proof: only a qualifier without a table (its column may be of any in sight), or another table.
        (failed("42P01", "x", "select users_old.id from users", "users_old"), [
            "read table:users", "read column:users.id"
        ]),
        (failed("42P01", "x", "select * from users_older", "users_older"), []),
        (failed("42P01", "x", "alter index orders_idx rename to j", "orders_idx"), ["read index:orders_idx"]),
        (failed("42703", "x", "select legacy from public.orders", "legacy"), [
            "read column:orders.legacy", "read table:orders"
        ]),
        (failed("42703", "x", "select o.legacy from public.orders o", "o.legacy"), [
            "read column:orders.legacy", "read table:orders"
        ]),
        (failed("42703", "x", "update public.orders set legacy = 1", "legacy"), [
            "write column:orders.legacy", "write table:orders"
        ]),
        (failed("42703", 'column "legacy" …', "select 1 from public.orders join users using (legacy)"), [
            "read column:orders.legacy", "read table:orders", "read table:users"
        ]),
        (failed("42703", "x", "select legacy from users", "legacy"), ["read table:users"]),
        (failed("42704", 'type "mood" does not exist', "select 'ok'::mood", "mood"), ["read enum:mood"]),
        (failed("42704", 'type "mood[]" does not exist', "select null::mood[]", "mood"), ["read enum:mood"]),
        (failed("42704", 'index "orders_idx" does not exist', "drop index orders_idx"), [
            "ddl index:orders_idx"
        ]),
        (failed("22P02", 'invalid value for enum mood_dep: "x"', "select 'x'::mood_dep", "'x'"), [
            "read enum:mood"
        ]),
        (failed("25P02", "current transaction is aborted", f"select * from {DEPRECATED}"), []),
        (failed("23505", "duplicate key", f"insert into {DEPRECATED} (id) values (1)"), [
            "write table:users_old", "write column:users_old.id"
        ]),
    ],
)  # fmt: skip
def test_a_failed_statement_uses(line: bytes, expected: list[str]) -> None:
    assert uses(line) == [f"error {each}" for each in expected]


@pytest.mark.parametrize(
    ("context", "via"),
    [
        ("PL/pgSQL function f_plpgsql() line 1 at SQL statement", "function:f_plpgsql"),
        ("PL/pgSQL function public.f(text,integer) line 2 at EXECUTE\nanother frame", "function:public.f"),
        ("PL/pgSQL-Funktion f_plpgsql() Zeile 1 bei SQL-Anweisung", "function:f_plpgsql"),
        ('SQL function "f_sqlstr" during inlining', "function:f_sqlstr"),
        ("PL/pgSQL function inline_code_block line 2 at PERFORM", "do block"),
        ("something with a 'secret' in it", "function"),
    ],
)
def test_an_error_within_a_function_says_which(context: str, via: str) -> None:
    inner = "select count(*) from users_old"
    line = record(
        'relation "users_old" does not exist',
        sqlstate="42P01",
        sql="select f(1)",
        inner_sql=inner,
        inner_position=inner.index("users_old") + 1,
        context=context,
        at=AFTER,
    )
    assert uses(line) == [f"error read table:users_old via {via}"]


def test_a_trigger_s_missing_field_speaks_for_every_column_of_that_name() -> None:
    line = failed(
        "42703", 'record "new" has no field "legacy"', "update users set id = 1", inner_sql="new.legacy"
    )
    assert "error read column:orders.legacy ambiguous" not in uses(line)
    quoted = failed("42703", 'column "legacy" is missing', "", inner_sql="legacy is null")
    assert "error read column:orders.legacy ambiguous" in uses(quoted)


def test_errors_outside_the_element_s_time_in_the_attic_prove_nothing() -> None:
    assert uses(missing("users_old", "select * from users_old", at=BEFORE)) == [
        "error read table:users_old",
        "error read column:users_old.id implicit",
        "error read column:users_old.email implicit",
    ]
    snapshot = shop()
    closed = entry("table:public.gone", "gone_dep", 99, until=NOON + timedelta(minutes=1))
    history = History(type(snapshot)(**{**vars(snapshot), "attic": (closed,)}))
    assert not Reader(history).observe(read_records(missing("gone", "select * from gone", at=AFTER)).records)


def test_an_error_in_the_very_millisecond_of_the_rename_counts() -> None:
    snapshot = shop()
    since = NOON.replace(microsecond=216_789)
    late = entry("table:public.users_old", DEPRECATED, 1, since=since)
    history = History(type(snapshot)(**{**vars(snapshot), "attic": (late,)}))
    log = missing("users_old", "select * from users_old", at=NOON.replace(microsecond=216_000))
    assert len(Reader(history).observe(read_records(log).records)) == 1


@pytest.mark.parametrize(
    "lines",
    [
        ["execute <unnamed>: {sql}", "duration: 0.4 ms"],
        ["statement: {sql}", "duration: 0.4 ms"],
        ["duration: 0.1 ms  parse <unnamed>: {sql}", "duration: 0.1 ms  bind <unnamed>: {sql}",
         "duration: 0.1 ms  execute <unnamed>: {sql}"],
        ["duration: 0.1 ms  parse p: {sql}", "duration: 0.1 ms  bind p: {sql}", "execute p: {sql}",
         "duration: 1 ms"],
        ["duration: 7000.1 ms  parse <unnamed>: {sql}"],
        ["duration: 0.4 ms  statement: {sql}"],
    ],
)  # fmt: skip
def test_lines_about_one_run_count_once(lines: list[str]) -> None:
    log = [record(line.format(sql="select 1 from users"), line=n) for n, line in enumerate(lines)]
    assert uses(*log) == ["ok read table:users"]


def test_an_error_line_after_the_statement_s_own_line_counts_only_what_it_proves() -> None:
    sql = "select 1 from users, users_old"
    found = uses(record(f"statement: {sql}", at=AFTER), missing("users_old", sql, at=AFTER, line=2))
    assert sorted(found) == ["error read table:users_old", "ok read table:users"]


def test_execute_by_name_uses_what_was_prepared() -> None:
    line = record("statement: execute q(7)", detail="prepare: prepare q as select 1 from users", at=AFTER)
    assert uses(line) == ["ok read table:users"]


def test_our_own_sessions_and_other_databases_are_no_uses() -> None:
    text = f"statement: select * from {DEPRECATED}"
    assert uses(record(text, application="pgattic"), record(text, database="warehouse")) == []


def test_bytes_of_another_encoding_do_no_harm() -> None:
    latin = record("statement: select '?' from users").replace(b"?", b"\xe9")
    assert uses(latin) == ["ok read table:users"]
