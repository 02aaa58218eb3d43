"""What refers to an element by its OID: each way blocks, under a check of its own."""

import pytest

from migrations.checks import run_checks
from migrations.findings import Severity
from tests.migrations.checks.conftest import LEGACY, USERS, Bench

COLOUR = "enum:public.colour"
PARTITIONED = (
    "CREATE TABLE p (id int) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)"
)
IDENTIFIED = (
    "ALTER TABLE orders ALTER total SET NOT NULL; CREATE UNIQUE INDEX u ON orders (total);"
    " ALTER TABLE orders REPLICA IDENTITY USING INDEX u"
)


@pytest.mark.parametrize(
    ("check", "element", "made", "said"),
    [
        ("dependants", USERS, "CREATE VIEW v AS SELECT id FROM users_old", "view public.v"),
        ("dependants", LEGACY, "CREATE VIEW v AS SELECT legacy FROM orders", "view public.v"),
        ("dependants", USERS, "CREATE MATERIALIZED VIEW m AS TABLE users_old", "materialized view public.m"),
        (
            "dependants",
            USERS,
            "CREATE RULE r AS ON INSERT TO orders DO ALSO INSERT INTO users_old VALUES (NEW.id)",
            "rule public.orders.r",
        ),
        (
            "dependants",
            USERS,
            "CREATE POLICY p ON orders USING (EXISTS (SELECT FROM users_old))",
            "policy public.orders.p",
        ),
        ("dependants", COLOUR, "ALTER TABLE orders ADD shade colour", "column public.orders.shade"),
        ("dependants", COLOUR, "ALTER TABLE orders ADD shade text DEFAULT 'red'::colour", "default"),
        (
            "dependants",
            LEGACY,
            "ALTER TABLE orders ADD size int GENERATED ALWAYS AS (length(legacy)) STORED",
            "generated column public.orders.size",
        ),
        ("dependants", LEGACY, "CREATE INDEX legacy_idx ON orders (legacy)", "index public.legacy_idx"),
        ("dependants", LEGACY, "ALTER TABLE orders ADD CHECK (legacy <> '')", "constraint"),
        ("foreign-key", USERS, "CREATE TABLE c (id int REFERENCES users_old)", "foreign key public.c"),
        ("inherited-by", USERS, "CREATE TABLE c () INHERITS (users_old)", "inheriting table public.c"),
        (
            "part-of-parent",
            "table:public.c",
            "CREATE TABLE c () INHERITS (users_old)",
            "parent public.users_old",
        ),
        (
            "inherited-by",
            "table:public.p",
            PARTITIONED,
            "partition public.p1",
        ),
        (
            "part-of-parent",
            "table:public.p1",
            PARTITIONED,
            "parent public.p",
        ),
    ],
)
def test_what_refers_to_an_element_blocks_it(
    bench: Bench, check: str, element: str, made: str, said: str
) -> None:
    bench.db.execute(made)
    assert any(said in text for text in bench.blocked_by(check, element))


def test_nothing_refers_to_what_stands_alone(bench: Bench) -> None:
    found = run_checks(bench.situation(USERS, LEGACY, COLOUR))
    assert not [finding for finding in found if finding.severity is Severity.BLOCK]


def test_what_goes_along_does_not_block(bench18: Bench) -> None:
    bench18.db.execute("CREATE TABLE c (id int REFERENCES users_old)")
    assert not bench18.blocked_by("foreign-key", USERS, "table:public.c")


@pytest.mark.parametrize(
    ("action", "severity"), [("", "info"), ("ON DELETE CASCADE", "warn"), ("ON DELETE SET NULL", "warn")]
)
def test_a_key_to_a_live_table_is_told_of(bench18: Bench, action: str, severity: str) -> None:
    bench18.db.execute(f"ALTER TABLE users_old ADD order_id int REFERENCES orders {action}")
    (finding,) = bench18.findings("foreign-key-out", USERS)
    assert finding.severity == severity
    assert "public.orders" in finding.message


def test_a_constraint_with_an_index_that_keys_rely_on_is_blocked(bench18: Bench) -> None:
    bench18.db.execute("CREATE TABLE c (id int REFERENCES users_old)")
    assert any(
        "c_id_fkey" in said
        for said in bench18.blocked_by("dependants", "constraint:public.users_old.users_old_pkey")
    )


@pytest.mark.parametrize(
    ("check", "element", "made"),
    [
        ("constraint-index", "index:public.users_old_pkey", "SELECT 1"),
        ("unique-index", "index:public.u", "CREATE UNIQUE INDEX u ON orders (total)"),
        (
            "replica-identity",
            "index:public.u",
            IDENTIFIED,
        ),
        ("expression-statistics", "index:public.e", "CREATE INDEX e ON orders (lower(legacy))"),
        ("index-behind", "constraint:public.users_old.users_old_pkey", "SELECT 1"),
        ("primary-key", "constraint:public.users_old.users_old_pkey", "SELECT 1"),
    ],
)
def test_an_index_or_constraint_that_does_more_is_told_of(
    bench: Bench, check: str, element: str, made: str
) -> None:
    bench.db.execute(made)
    (finding,) = bench.findings(check, element)
    assert finding.subject == element


def test_a_constraint_that_is_the_replica_identity_is_blocked(bench18: Bench) -> None:
    bench18.db.execute("ALTER TABLE users_old REPLICA IDENTITY USING INDEX users_old_pkey")
    blocks = bench18.blocked_by("dependants", "constraint:public.users_old.users_old_pkey")
    assert any("replica identity" in said for said in blocks)
