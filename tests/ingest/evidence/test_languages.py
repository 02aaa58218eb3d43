"""Lines of the log are told in every language of PostgreSQL, and nothing else is taken for a statement."""

import gettext
import re
import subprocess
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import ingest.evidence.languages
from ingest.evidence.languages import MessageKind, is_known, line_kind, prepared_statement
from tests.fix_server import FreshDatabase, fresh_database
from tests.ingest.fix_log import APPLICATION, connect, rows_of, told
from tests.waiting import PATIENCE_SECONDS, until_logged

CATALOGS: dict[str, dict[str, Any]] = tomllib.loads(
    Path(ingest.evidence.languages.__file__).with_name("languages.toml").read_text()
)
INSTALLED = sorted(Path("/usr/share/locale").glob("*/LC_MESSAGES/postgres-15.mo"))
SQL = "select *\nfrom a, b -- statement: x"


def language_of(path: Path) -> str:
    return path.parent.parent.name


@pytest.mark.parametrize("path", INSTALLED, ids=language_of)
def test_the_catalog_of_postgresql_15_says_the_same(path: Path) -> None:
    with path.open("rb") as file:
        translations = gettext.GNUTranslations(file)
    english = CATALOGS["en"]
    translated: dict[str, str | list[str]] = {
        key: translations.gettext(text)
        for key, text in english.items()
        if isinstance(text, str) and translations.gettext(text) != text
    }
    other = [translations.gettext(text) for text in english["other"]]
    translated["other"] = [text for text, msgid in zip(other, english["other"], strict=True) if text != msgid]
    assert translated == CATALOGS[language_of(path)]


def test_the_catalogs_of_postgresql_15_are_all_there() -> None:
    assert {language_of(path) for path in INSTALLED} <= CATALOGS.keys()


def filled(template: str, *texts: str) -> str:
    """What C's printf makes of a format; what is left of it stands for texts."""
    for text in texts:
        template = template.replace("%s", text, 1)
    assert "%" not in template
    return template


def lines(language: str) -> Iterator[tuple[MessageKind, str]]:
    """Each kind of line about a statement, as PostgreSQL writes it in a language."""
    known = {**CATALOGS["en"], **CATALOGS[language]}
    ran, portal = ("S_1", "/", "C_2"), ("<unnamed>", "", "")
    yield MessageKind.STATEMENT, filled(known["statement"], SQL)
    yield MessageKind.DURATION, filled(known["duration_statement"], "0.584", SQL)
    yield MessageKind.PREPARE, filled(known["duration_parse"], "1200.001", "my name", SQL)
    for name in (ran, portal):
        yield MessageKind.PREPARE, filled(known["duration_bind"], "0.001", *name, SQL)
        for word in (known["execute"], known["fetch"]):
            yield MessageKind.EXECUTE, filled(known["run"], word, *name, SQL)
            yield MessageKind.DURATION, filled(known["duration_run"], "0.001", word, *name, SQL)


@pytest.mark.parametrize("language", CATALOGS)
def test_lines_about_statements_are_told_in_every_language(language: str) -> None:
    for kind, line in lines(language):
        found = line_kind(line)
        assert found is not None, line
        assert (found[0], line[found[1] :]) == (kind, SQL), line
    duration = filled(CATALOGS[language].get("duration", CATALOGS["en"]["duration"]), "0.584")
    assert line_kind(duration) == (MessageKind.OTHER, len(duration))
    prepared = filled(CATALOGS[language].get("prepare", CATALOGS["en"]["prepare"]), SQL)
    assert prepared_statement(prepared) == SQL


@pytest.mark.parametrize(
    ("language", "encoding"),
    [("fr", "latin1"), ("de", "latin9"), ("ru", "koi8_r"), ("ru", "cp1251"), ("ja", "euc_jp"),
     ("ko", "euc_kr"), ("zh_CN", "gb2312"), ("pl", "iso8859_2")],
)  # fmt: skip
def test_a_message_in_another_encoding_is_told_when_it_was_read_as_utf8(language: str, encoding: str) -> None:
    for kind, line in lines(language):
        read = line.encode(encoding).decode(errors="replace")
        found = line_kind(read)
        assert found is not None, line
        assert (found[0], read[found[1] :]) == (kind, SQL), line


@pytest.mark.parametrize("language", CATALOGS)
def test_lines_about_anything_else_are_known_to_be_no_statement(language: str) -> None:
    for template in CATALOGS[language]["other"]:
        line = re.sub(r"%(?:\d+\$)?[sm]", "x", template)
        line = re.sub(r"%(?:\d+\$)?[0-9.]*l?[duXf]", "17", line)
        assert line_kind(line) == (MessageKind.OTHER, len(line)), line


@pytest.mark.parametrize(
    "text",
    ["", "select 1", "statement select 1", "Statement: select 1", "duration: fast", "execute order 66",
     'fastpath function call: "drop_everything" (OID 16400)',
     "duration: 1 ms  plan of action", "pgattic is here"],
)  # fmt: skip
def test_what_nobody_knows_is_not_guessed(text: str) -> None:
    assert line_kind(text) is None


@pytest.mark.parametrize("name", ["lo_open", "loread", "lowrite", "lo_lseek64", "lo_close"])
def test_large_objects_are_no_use_of_an_element(name: str) -> None:
    for line in (
        f'fastpath function call: "{name}" (OID 952)',
        f'duration: 0.1 ms  fastpath function call: "{name}" (OID 952)',
    ):
        assert line_kind(line) == (MessageKind.OTHER, len(line))


def test_each_special_kind_is_told_with_the_place_where_it_begins() -> None:
    for kind, prefix, rest in (
        (MessageKind.SENSOR, "pgattic sensor: ", "read table:public.users_old"),
        (MessageKind.AUDIT, "AUDIT: ", "OBJECT,1,1,READ,SELECT,TABLE,public.t,select 1,<not logged>"),
        (MessageKind.PLAN, "duration: 0.164 ms  plan:\n", "Query Text: select 1\nResult  (cost=0.00..0.01"),
    ):
        assert line_kind(prefix + rest) == (kind, len(prefix))


@pytest.mark.parametrize(
    "text",
    ["statement: drop table users_old", "execute <unnamed>: select 1", "AUDIT: OBJECT,1,1,READ", "hello"],
)
def test_what_a_function_wrote_is_no_statement_whatever_it_says(text: str) -> None:
    raised = "PL/pgSQL function f() line 1 at RAISE"
    assert line_kind(text, context=raised) == (MessageKind.OTHER, len(text))
    assert line_kind(text, sql="select f()") == (MessageKind.OTHER, len(text))


def test_a_plan_tells_its_function_but_never_the_statement() -> None:
    text = "duration: 0.1 ms  plan:\nQuery Text: select 1"
    nested = 'SQL statement "select 1"\nPL/pgSQL function f() line 1 at PERFORM'
    assert line_kind(text, context=nested) == (MessageKind.PLAN, text.index("Query"))
    assert line_kind(text, context=nested, sql="select f()") == (MessageKind.OTHER, len(text))


@pytest.mark.parametrize(
    ("setting", "known"),
    [("", True), ("C", True), ("C.UTF-8", True), ("en_US.UTF-8", True), ("de_DE@euro", True),
     ("de_AT.utf8", True), ("zh_CN.UTF-8", True), ("nl_NL.UTF-8", True), ("pt_BR.UTF-8", True),
     ("zh_TW.UTF-8", False), ("tr_TR", False), ("id_ID.UTF-8", False)],
)  # fmt: skip
def test_languages_that_we_have_no_catalog_of_are_not_known(setting: str, known: bool) -> None:
    assert is_known(setting) is known


TALKATIVE = (
    "-c log_connections=on -c log_disconnections=on -c log_statement=all -c log_min_duration_statement=0"
    " -c log_duration=on -c log_temp_files=0 -c work_mem=64kB -c log_lock_waits=on -c deadlock_timeout=10ms"
    " -c log_parser_stats=on -c log_planner_stats=on -c log_executor_stats=on"
    " -c debug_print_parse=on -c debug_print_rewritten=on -c debug_print_plan=on"
)


def test_a_session_writes_nothing_that_nobody_knows(database: FreshDatabase) -> None:
    with connect(database, options=TALKATIVE) as first, connect(database, options=TALKATIVE) as second:
        first.execute("CREATE TABLE t (id int)")
        first.execute("SELECT count(*) FROM (SELECT g FROM generate_series(1, 20000) g ORDER BY 1 DESC) s")
        first.execute("SELECT %s::int", (1,), prepare=True)
        first.execute("BEGIN; LOCK TABLE t")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(second.execute, "SELECT * FROM t")
            while not database.db.fetch_value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                assert not waiting.done()
            # A wait is told once it has lasted for deadlock_timeout.
            until_logged(database.server, f"process {second.info.backend_pid} still waiting")
            first.execute("COMMIT")
            waiting.result(timeout=PATIENCE_SECONDS)
    # The last thing that a session does is to log its end.
    until_logged(database.server, f"user=postgres database={database.name} host=", times=2)
    lines = told(rows_of(database, (APPLICATION, "", "[unknown]")))
    assert [line.message.text for line in lines if line.kind is None] == []
    texts = "\n".join(line.message.text for line in lines)
    for sign in ("disconnection", "temporary file", "still waiting", "acquired",
                 "PLANNER STATISTICS", "parse tree:", "duration: "):  # fmt: skip
        assert sign in texts


@pytest.fixture(scope="module")
def talkative(talkative15: Any) -> Iterator[FreshDatabase]:
    yield from fresh_database(talkative15)


LOCALES = {"de_DE.UTF-8": "Anweisung", "fr_FR.UTF-8": "instruction", "ja_JP.UTF-8": "文"}


def work(database: FreshDatabase, lc_messages: str) -> list[tuple[str, str]]:
    """The same workload in one language: the kinds of the lines and the statements they tell of."""
    with connect(database) as session:
        session.execute(f"SET lc_messages = '{lc_messages}'")
        session.execute("SET auto_explain.log_min_duration = -1")
        session.execute("SET pgaudit.log = 'none'")
        began = len(rows_of(database))
        session.execute("SELECT 'one'")
        session.execute("SELECT %s::int", (1,))
        session.execute("SELECT %s::text", ("x",), prepare=True)
        session.execute("SELECT %s::text", ("y",), prepare=True)
        session.execute("PREPARE kept(int) AS SELECT $1")
        session.execute("EXECUTE kept(7)")
        session.execute("SET log_min_duration_statement = 0")
        session.execute("SET log_statement = 'none'")
        session.execute("SELECT 'two'")
        session.execute("SELECT %s::int", (2,))
        session.execute("EXECUTE kept(8)")
        session.execute("SET log_duration = on; SET log_min_duration_statement = -1")
        session.execute("SELECT 'no text'")
        session.execute("SET log_temp_files = 0; SET work_mem = '64kB'")
        session.execute("SELECT count(*) FROM (SELECT g FROM generate_series(1, 20000) g ORDER BY 1 DESC) s")
        session.execute("DO $$ BEGIN RAISE LOG 'statement: drop table users_old'; END $$")
        session.execute("DEALLOCATE kept")
    found = []
    for each in told(rows_of(database)[began:]):
        statement = "" if each.kind is MessageKind.OTHER else each.statement
        found.append((str(each.kind), statement))
    return found


@pytest.mark.pg15
def test_a_real_server_says_the_same_in_other_languages(talkative: FreshDatabase) -> None:
    there = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=True).stdout.lower()
    locales = [name for name in LOCALES if name.lower().replace("-", "") in there]
    if not locales:
        pytest.skip("no locale of another language (localedef -i de_DE -f UTF-8 de_DE.UTF-8)")
    english = work(talkative, "C")
    assert {kind for kind, _ in english} == {"statement", "execute", "prepare", "duration", "other"}
    for name in locales:
        assert work(talkative, name) == english
        assert any(LOCALES[name] in row["message"].decode() for row in rows_of(talkative))
