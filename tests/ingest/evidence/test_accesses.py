"""From records to uses: the former and the deprecated name, what is implicit, what counts once."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.evidence.accesses import Reader
from ingest.evidence.caches import Cache
from ingest.grammar.normalise import statement_id
from ingest.logs.csvlog import read_records
from ingest.meaning.world import History
from tests.ingest.fix_ingest import DEPRECATED, NOON, entry, missing, record, relation, shop

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
        (failed("42P01", "x", "select nextval('public.users_old')", "'public"), ["write table:users_old"]),
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
    assert "error read column:orders.legacy ambiguous" in uses(line)
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


def counted(*batches: list[bytes], reader: Reader | None = None) -> Counter[str]:
    """How often each element was used, as the tables tell it after some batches."""
    reader = reader or Reader(History(shop()))
    found: Counter[str] = Counter()
    for batch in batches:
        records = read_records(b"".join(batch)).records
        rows = reader.rows(records, node="primary", origin="o", known=set(), sees_all=True)
        for row in rows.usage_hourly.to_pylist():
            found[f"{row['outcome']} {row['element']}"] += row["uses"]
    return found


def extended(session: str, *steps: tuple[str, str]) -> list[bytes]:
    """A session's lines by the extended protocol: each step is parse, bind or execute, and a statement."""
    return [
        record(f"duration: 0.1 ms  {step} <unnamed>: {sql}", session=session, line=line)
        for line, (step, sql) in enumerate(steps, 1)
    ]


@given(st.data())
def test_a_run_counts_once_wherever_batches_end_and_whoever_speaks_between(data: st.DataObject) -> None:
    ways = [("parse", "bind", "execute"), ("bind", "execute"), ("execute",)]
    runs = st.lists(st.tuples(st.sampled_from(ways), st.sampled_from(["1", "2, 3"])), min_size=1, max_size=4)
    chosen = [data.draw(runs) for _ in range(3)]
    spoken = [
        extended(
            f"6b035698.{number}",
            *((step, f"select {what} from users") for steps, what in session for step in steps),
        )
        for number, session in enumerate(chosen)
    ]
    turns = data.draw(st.permutations([n for n, lines in enumerate(spoken) for _ in lines]))
    whole = [spoken[turn].pop(0) for turn in turns]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)))))
    batches = [whole[start:end] for start, end in pairwise([0, *cuts, len(whole)])]
    assert counted(*batches) == {"ok table:public.users": sum(map(len, chosen))}


def test_a_statement_that_was_only_parsed_counts_once() -> None:
    one, other = "select 1 from users", "select id from users"
    lines = extended("6b035698.1", ("parse", one), ("bind", one), ("parse", other), ("bind", other))
    assert counted(lines[:2], lines[2:3], lines[3:])["ok table:public.users"] == 2


def test_an_error_after_its_statement_s_line_counts_once_across_batches() -> None:
    sql = "select 1 from users, users_old"
    batches = [record(f"statement: {sql}", at=AFTER)], [missing("users_old", sql, at=AFTER, line=2)]
    assert counted(*batches) == {"ok table:public.users": 1, "error table:public.users_old": 1}
    # Nobody told of a second try, or of one after a success.
    again = [missing("users_old", sql, at=AFTER, line=3)]
    assert counted(*batches, again)["error table:public.users"] == 1
    success = [record(f"duration: 0.1 ms  statement: {sql}", at=AFTER)]
    assert counted(success, again)["error table:public.users"] == 1


def test_a_storm_of_errors_says_what_each_of_them_says() -> None:
    storm = [
        line
        for number in range(6)
        for line in (
            missing("users_old", f"select {number} from users_old where id = '{number}'", at=AFTER),
            missing("users_old", f"select '{'x' * number}', 1 from users_old", at=AFTER),
            failed("42703", "x", f"select {number}, legacy from public.orders", "legacy"),
            failed("22P02", f'invalid value for enum mood_dep: "{number}"', "select 'x'::mood_dep", "'x'"),
            failed("23505", f"key {number}", f"insert into {DEPRECATED} (id) values ({number})"),
            failed("42P01", "x", f"select nextval('no_{number}'), users_old.id from users", "users_old"),
            failed("42P01", "x", "select 'USERS_OLD'::regclass", "'USERS"),
            failed("42P01", "x", f"select 'users_older'::regclass, {number}", "'users"),
            missing("users_old", f"select 'é{number}' from users_old", at=AFTER),
        )
    ]
    alone = Counter(use for line in storm for use in uses(line))
    assert Counter(uses(*storm)) == alone
    assert alone["error read table:users_old"] == 24


def test_accesses_and_counts_tell_who_when_and_where() -> None:
    sql = "select 1 from users_old where id = 7"
    batch = [
        missing("users_old", sql, at=AFTER + timedelta(minutes=minutes), line=line, application=application)
        for line, (minutes, application) in enumerate(
            [(0, "web"), (10, "web"), (70, "web"), (71, "worker")], 1
        )
    ]
    reader = Reader(History(shop()))
    known: set[str] = set()
    rows = reader.rows(read_records(b"".join(batch)).records, node="primary", origin="o", known=known)
    accesses = rows.access.to_pylist()
    assert [(row["session_line"], row["application"], row["client"]) for row in accesses] == [
        (1, "web", "10.0.0.7"), (2, "web", "10.0.0.7"), (3, "web", "10.0.0.7"), (4, "worker", "10.0.0.7"),
    ]  # fmt: skip
    assert accesses[0] == {
        "occurred_at": AFTER, "node": "primary", "element": "table:public.users_old", "operation": "read",
        "outcome": "error", "source": "error", "via": None, "implicit": False, "ambiguous": False,
        "sqlstate": "42P01", "role": "ann", "database": "shop", "application": "web", "client": "10.0.0.7",
        "statement_id": rows.statement["statement_id"][0].as_py(), "session_id": "6b035698.34a9",
        "session_line": 1, "origin": "o", "log_offset": 0, "duration_ms": None, "day": AFTER.date(),
    }  # fmt: skip
    assert [row["log_offset"] for row in accesses] == [0, *accumulate(map(len, batch[:-1]))]
    counts = {(row["hour"].hour, row["application"]): row for row in rows.usage_hourly.to_pylist()}
    assert {key: row["uses"] for key, row in counts.items()} == {
        (12, "web"): 2,
        (13, "web"): 1,
        (13, "worker"): 1,
    }
    first = counts[12, "web"]
    assert (first["first_at"], first["last_at"]) == (AFTER, AFTER + timedelta(minutes=10))
    assert rows.statement.to_pylist() == [
        {"statement_id": statement_id("select $1 from users_old where id = $2"), "first_seen_at": AFTER,
         "text": "select $1 from users_old where id = $2", "is_parsed": True, "day": AFTER.date()}
    ]  # fmt: skip
    again = reader.rows(read_records(batch[0]).records, node="primary", origin="o", known=known)
    assert len(again.statement) == 0


@pytest.mark.parametrize(
    ("message", "milliseconds"),
    [
        (f"duration: 12.345 ms  statement: select 99 from {DEPRECATED}", 12.345),
        (f"duration: 0.071 ms  execute fetch_7: select id from {DEPRECATED} where id = $1", 0.071),
        (f"Dauer: 3.000 ms  Anweisung: select id from {DEPRECATED}", 3.0),
        (f"期間: 4000.250 ミリ秒  文: select id from {DEPRECATED}", 4000.25),
        # Before it ran, and while it was parsed only: nobody knows how long it took.
        (f"statement: select 12.5 from {DEPRECATED}", None),
        (f"duration: 0.500 ms  parse s1: select id from {DEPRECATED}", None),
    ],
)
def test_the_time_that_a_line_tells_stays_with_its_uses(message: str, milliseconds: float | None) -> None:
    batch = [record("statement: select 1", line=1), record(message, line=2, at=AFTER)]
    rows = Reader(History(shop())).rows(
        read_records(b"".join(batch)).records, node="primary", origin="o", known=set()
    )
    assert rows.access["duration_ms"].to_pylist() == [milliseconds] * len(rows.access)
    assert len(rows.access) > 0
    timed = [row["uses"] if milliseconds else 0 for row in rows.usage_hourly.to_pylist()]
    assert rows.usage_hourly["timed"].to_pylist() == timed


def test_lines_that_nobody_knows_are_counted() -> None:
    batch = [
        record("statement: select 1 from users"),
        record("duration: 0.5 ms"),
        record("Anweisung, etwas anders: select 1 from users"),
        record("hello", sql="select f()", context="PL/pgSQL function f() line 1 at RAISE"),
        record("pgattic sensor: read table:public.nothing", sql="select 1"),
        record("there is no transaction in progress", sqlstate="01000"),
        record("hello", database="warehouse"),
    ]
    rows = Reader(History(shop())).rows(
        read_records(b"".join(batch)).records, node="primary", origin="o", known=set()
    )
    assert rows.unrecognised == 2


def test_a_batch_without_records_says_nothing() -> None:
    assert counted([]) == {}
    assert counted([record("statement: select 1 from users", database="warehouse")]) == {}


@pytest.mark.parametrize(
    ("encoding", "codec"), [("LATIN1", "latin-1"), ("WIN1251", "cp1251"), ("UTF8", "utf-8")]
)
def test_names_are_read_in_the_encoding_of_their_database(encoding: str, codec: str) -> None:
    name = "ж" if encoding == "WIN1251" else "é"
    snapshot = replace(shop(), encoding=encoding, relations=(relation(40, f"t{name}", "id"),))
    line = record(f"statement: select id from t{name} where id = '{name}'").decode().encode(codec)
    found = Reader(History(snapshot)).observe(read_records(line).records)
    assert [each.use.element.name for each in found] == [f"t{name}", "id"]


def test_what_is_remembered_of_a_log_is_bounded() -> None:
    cache: Cache[int, str] = Cache(16_000)
    for number in range(10_000):
        cache.keep(number, "x", 100)
        assert len(cache) <= 160
    assert cache.get(9_999) == "x"
    # What is too large is given back, and not kept.
    assert cache.keep(-1, "y", 2_000) == "y"
    assert cache.get(-1) is None


def test_after_a_rollback_who_succeeds_is_no_access_of_the_attic() -> None:
    entries = (entry("table:public.users_old", DEPRECATED, 1, until=AFTER), *shop().attic[1:])
    back = replace(shop(), attic=entries, relations=(relation(1, "users_old", "id"), *shop().relations[1:]))
    late = AFTER + timedelta(seconds=10)
    ran = record("duration: 1 ms  statement: select id from users_old", at=late)
    failed_late = missing("users_old", "select id from users_old", at=late, line=2)
    told = [
        Reader(History(back)).rows(read_records(line).records, node="n", origin="o", known=set()).access
        for line in (ran, failed_late)
    ]
    assert [row["outcome"] for rows in told for row in rows.to_pylist()] == ["error"]
