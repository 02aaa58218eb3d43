"""Constants, parameters and details never leave the log.

Secrets are planted in every field of every kind of record; all that was written or told is searched for them.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from analytics.alerts import Alerts, describe
from catalog.alert_settings import AlertSettings
from ingest.running import ingest_once
from tests.ingest.fix_ingest import DEPRECATED, NOON, Workplace, record

_WORD = "kanarienvogel"
_NUMBER = "7355608"
_CONSTANTS = [
    "'{0}'", "e'\\'{0}'", "U&'{0}'", "N'{0}'", "$${0}$$", "$x${0}'$x$", "'{0}''{0}'", "'a'\n'{0}'", "{1}",
    "-{1}", "{1}.5e3", "0x{1}", "b'{1}'", "x'{1}ff'", "interval '{0}'", "'{0}'::text", "/* {0} {1} */ 1",
    "1 -- {0}\n", "/* {0} /* {0} */ */ 1", "array['{0}', '{1}']",
    "1 in ({1}, {1}, {1})", "'{{\"a\": \"{0}\"}}'::jsonb",
]  # fmt: skip
_STATEMENTS = [
    "select {0} from users_old",
    f"select {{0}} from {DEPRECATED}",
    f"insert into {DEPRECATED} values (1, {{0}}), (2, {{0}})",
    f"prepare q as select {{0}} from {DEPRECATED}",
    f"declare c cursor for select {{0}} from {DEPRECATED}",
    "execute q({0})",
    "fetch from c",
    f"do $do$ begin perform {{0}} from {DEPRECATED}; end $do$",
    "create function f() returns int language sql as $f$ select {0} from users_old $f$",
    "create role x password {0}",
    "copy (select {0}) to program '" + _WORD + "'",
    "set search_path to {0}",
    "select set_config('search_path', {0}, false)",
    f"select nextval('{_WORD}'), {{0}}::regclass",
    "comment on table users_old is {0}",
    # None of these can be read.
    "selec {0} from users_old",
    "select {0} from users_old where '" + _WORD,
    f'select {{0}} from "{_WORD}',
    f"select $x$ {_WORD} {{0}} from users_old",
    f"/* {_WORD} {{0}} from users_old",
]
_TOLD_BY = [
    "statement: {}",
    "execute <unnamed>: {}",
    "duration: 0.1 ms  statement: {}",
    "duration: 0.1 ms  parse p: {}",
    "duration: 0.1 ms  bind p: {}",
    "duration: 0.1 ms  execute fetch from p/c: {}",
    f"duration: 0.1 ms  plan:\nQuery Text: {{}}\nSeq Scan on users_old  (cost=0..1)\n  Filter: '{_WORD}'",
]
_CONTEXTS = [
    f'COPY users_old, line 7, column email: "{_WORD}"',
    f'JSON data, line 1: {{"{_WORD}": "{_WORD}"...',
    f"PL/pgSQL function f(text) line {_NUMBER} at SQL statement\nSQL statement \"select '{_WORD}'\"",
    f"PL/pgSQL assignment \"x := 'a {_WORD}('\"",
    f'SQL statement "select \'{_WORD}(\'"\nSQL function "f" statement 1',
    f"unnamed portal with parameters: $1 = '{_WORD}'",
    f'while executing "{_WORD}"',
]
_STATES = ["42P01", "42703", "42704", "42601", "22P02", "22023", "23505", "25P02", "0A000", "P0001", "?????"]


def statements() -> Iterator[str]:
    """Every statement with every constant."""
    for pattern in _STATEMENTS:
        for constant in _CONSTANTS:
            yield pattern.replace("{0}", constant.format(_WORD, _NUMBER))


def records() -> Iterator[bytes]:
    """Records of every kind, full of secrets."""
    at = NOON + timedelta(minutes=5)
    secret = f"{_WORD} \"{_WORD}\" '{_WORD}' ({_NUMBER}) users_old"
    for line, sql in enumerate(statements(), 1):
        context = _CONTEXTS[line % len(_CONTEXTS)]
        kind = _TOLD_BY[line % len(_TOLD_BY)]
        yield record(
            kind.format(sql), at=at, line=line, detail=f"Parameters: $1 = '{_WORD}', $2 = '{_NUMBER}'"
        )
        if line % 5 == 0:
            yield record(f"statement: {sql}", at=at, detail=f"prepare: prepare q as {sql}")
        if line % 7 == 0:
            quoted = sql.replace('"', '""')
            audit = f'AUDIT: OBJECT,1,1,READ,SELECT,TABLE,public.{DEPRECATED},"{quoted}","{_WORD},{_NUMBER}"'
            yield record(audit, at=at)
            yield record("pgattic sensor: read table:public.users_old", at=at, sql=sql, context=context)
            yield record(f"pgattic sensor: read table:public.{_WORD}", at=at, sql=sql, context=context)
        yield record(
            f'relation "users_old" does not exist: {secret}',
            sqlstate=_STATES[line % len(_STATES)], sql=sql, position=line % 40 or None, detail=secret,
            context=context, inner_sql=sql if line % 3 == 0 else "", inner_position=9, at=at,
        )  # fmt: skip
    yield record(secret, at=at)
    yield f"{_WORD} is no record {_NUMBER}\n".encode()
    yield record(secret, at=at).replace(b'","', b'"' + _WORD.encode() + b'"', 1)
    yield record("x" * 30_000 + _WORD, at=at)
    yield b'2026-11-22 12:00:01.000 UTC,"' + _WORD.encode()


def written(data: Path) -> Iterator[tuple[Path, str]]:
    """All that stands in a directory: bytes as they are, tables as their values."""
    for path in data.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes().decode(errors="replace")
            if path.suffix == ".parquet":
                yield path, json.dumps(pq.read_table(path).to_pylist(), default=str)


def test_nothing_secret_is_written_or_told(
    workplace: Workplace, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    workplace.alerting = Alerts(AlertSettings(), workplace.data)
    workplace.batch_bytes = 200_000
    workplace.max_record_bytes = 250_000
    workplace.write("a.csv", *records())
    summary = ingest_once(workplace.pipeline())
    assert summary.accesses > 500
    assert summary.rejects > 0
    told = [describe(alert) for alert in workplace.rows("alert", "occurred_at", "severity", "message")]
    assert told
    output = capfd.readouterr()
    places = [
        *written(workplace.data),
        (Path("told"), "\n".join([*told, output.out, output.err, caplog.text])),
    ]
    assert any(path.suffix == ".parquet" for path, _ in places)
    for path, text in places:
        for secret in (_WORD, _NUMBER):
            at = text.lower().find(secret)
            assert at < 0, f"{path}: {text[max(at - 200, 0) : at + 50]}"
