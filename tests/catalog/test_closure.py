"""The closure: whatever refers to an element keeps it in use, its own parts do not."""

from collections.abc import Iterator

import pytest

from catalog.closure import dependants, mentions
from catalog.database import Database
from catalog.elements import Element
from catalog.snapshot import Snapshot, read_snapshot
from catalog.throwaway import ThrowawayServer

SCRIPT = """
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE TYPE in_domain AS ENUM ('a');
CREATE TYPE in_composite AS ENUM ('a');
CREATE TYPE lonely AS ENUM ('a');
CREATE DOMAIN d AS in_domain;
CREATE TYPE composite AS (m in_composite);
CREATE TABLE users (
    id int PRIMARY KEY,
    boss int REFERENCES users,
    email text NOT NULL UNIQUE,
    old text CHECK (old <> ''),
    m mood DEFAULT 'a',
    g text GENERATED ALWAYS AS (email || 'x') STORED
);
CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id int REFERENCES users);
CREATE TABLE alone (id serial PRIMARY KEY, note text DEFAULT 'x' CHECK (note <> ''));
CREATE INDEX alone_note_idx ON alone (note);
CREATE VIEW v AS SELECT id, email FROM users;
CREATE VIEW counted AS SELECT count(*) FROM users;
CREATE MATERIALIZED VIEW mv AS SELECT email FROM users;
CREATE TABLE holder (u users, us users[]);
CREATE FUNCTION by_signature() RETURNS SETOF users LANGUAGE sql AS 'select * from users limit 0';
CREATE FUNCTION by_reference() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM orders; END;
CREATE FUNCTION by_mention() RETURNS int LANGUAGE plpgsql AS 'begin execute ''table ORDERS''; return 1; end';
CREATE FUNCTION of_mood(mood) RETURNS int LANGUAGE sql AS 'select 1';
CREATE CAST (mood AS int) WITH FUNCTION of_mood(mood);
CREATE PUBLICATION p FOR TABLE orders;
CREATE INDEX users_old_idx ON users (lower(old));
CREATE POLICY po ON orders USING (user_id IN (SELECT id FROM users));
CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end';
CREATE TRIGGER t BEFORE UPDATE OF old ON users FOR EACH ROW WHEN (new.m = 'a') EXECUTE FUNCTION tr();
CREATE RULE r AS ON INSERT TO orders DO ALSO UPDATE users SET old = 'x';
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (2);
CREATE INDEX parted_idx ON parted (id);
"""

EXPECTED = {
    "table:public.users": {
        "column public.holder.u has its row type",
        "column public.holder.us has its row type",
        "foreign key public.orders.orders_user_id_fkey references it",
        "function public.by_signature has its type in the signature",
        "materialized view public.mv refers to it",
        "policy public.orders.po refers to it",
        "rule public.orders.r refers to it",
        "view public.v refers to it",
        "view public.counted refers to it",
    },
    "table:public.orders": {
        "function public.by_reference refers to it",
        "function public.by_mention mentions it in its body",
        "publication p refers to it",
    },
    "table:public.alone": set(),
    "table:public.parted": {"partition public.parted_1 refers to it"},
    "table:public.parted_1": {"parent public.parted is served by it"},
    "column:public.users.old": {
        "constraint public.users.users_old_check is on it",
        "index public.users_old_idx refers to it",
        "rule public.orders.r refers to it",
        "trigger public.users.t refers to it",
        "view public.counted refers to its table as a whole",
    },
    "column:public.users.email": {
        "constraint public.users.users_email_key is on it",
        "generated column public.users.g refers to it",
        "materialized view public.mv refers to it",
        "view public.v refers to it",
        "view public.counted refers to its table as a whole",
    },
    "column:public.users.g": {"view public.counted refers to its table as a whole"},
    "column:public.alone.note": {
        "constraint public.alone.alone_note_check is on it",
        "index public.alone_note_idx indexes it",
    },
    "index:public.alone_note_idx": set(),
    "index:public.alone_pkey": {"constraint public.alone.alone_pkey is enforced by it"},
    "index:public.parted_1_id_idx": {"parent public.parted_idx is served by it"},
    "constraint:public.users.users_old_check": set(),
    "constraint:public.users.users_pkey": {
        "constraint public.orders.orders_user_id_fkey refers to it",
        "constraint public.users.users_boss_fkey refers to it",
    },
    "enum:public.mood": {
        "cast (public.mood AS integer) refers to it",
        "column public.users.m has its type",
        "default public.users.m refers to it",
        "function public.of_mood has its type in the signature",
        "trigger public.users.t refers to it",
    },
    "enum:public.in_domain": {"domain public.d refers to it"},
    "enum:public.in_composite": {"composite type public.composite refers to it"},
    "enum:public.lonely": set(),
}


@pytest.fixture(scope="module", params=["18", pytest.param("15", marks=pytest.mark.pg15)])
def snapshot(request: pytest.FixtureRequest) -> Iterator[Snapshot]:
    server: ThrowawayServer = request.getfixturevalue(f"server{request.param}")
    with Database.connect(server.dsn()) as admin:
        admin.execute("CREATE DATABASE closure")
        with Database.connect(server.dsn("closure")) as db:
            for statement in SCRIPT.split(";\n"):
                if statement.strip():
                    db.execute(statement)
            yield read_snapshot(db)
        admin.execute("DROP DATABASE closure WITH (FORCE)")


@pytest.mark.parametrize("text", EXPECTED)
def test_dependants_are_what_refers_to_an_element_from_outside(snapshot: Snapshot, text: str) -> None:
    found = {str(dependant) for dependant in dependants(snapshot, Element.parse(text))}
    wanted = EXPECTED[text]
    if text == "enum:public.mood":
        # How a function refers to a type, by its signature or its reference, is named once.
        found = {
            line.replace("of_mood refers to it", "of_mood has its type in the signature") for line in found
        }
    assert found == wanted


def test_bodies_may_mention_a_former_name(snapshot: Snapshot) -> None:
    found = dependants(snapshot, Element.parse("table:public.alone"), known_as=["orders"])
    assert [str(dependant) for dependant in found] == [
        "function public.by_mention mentions it in its body",
        "function public.by_reference mentions it in its body",
    ]


@pytest.mark.parametrize(
    ("text", "name", "is_mentioned"),
    [
        ("select * from users", "users", True),
        ("select * from USERS;", "users", True),
        ('select * from "Users"', "users", True),
        ("select * from app.users u", "users", True),
        ("select * from users_old", "users", False),
        ("select * from old_users", "users", False),
        ('select * from "odd name"', "odd name", True),
        ('select * from "odd name!"', "name!", True),
        ("select * from größe", "GRÖßE", True),
        ("select 'users'", "users", True),
        ("", "users", False),
    ],
)
def test_a_mention_is_a_whole_word_in_any_case(text: str, name: str, is_mentioned: bool) -> None:
    assert mentions(text, name) is is_mentioned
