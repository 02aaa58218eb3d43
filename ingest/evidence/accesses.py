"""From log records to evidence: who used which element, and how often.

Records are looked at many at once. Each is given a *case*: a statement under one path and in one stretch of
time, or an error, which uses the same elements whoever ran it. Only cases are looked into one by one.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.database import APPLICATION_NAME
from ingest.evidence.audit_lines import audited_sql, uses_of_audit
from ingest.evidence.cases import Case, Cases, Setting
from ingest.evidence.columns import (
    Flags,
    Numbers,
    by_group,
    column,
    combined,
    encoded,
    first_places,
    last_places,
    numbered,
)
from ingest.evidence.conversations import Heard, Lookup, Speech, hear
from ingest.evidence.counting import EvidenceRows as EvidenceRows  # noqa: PLC0414 what a reader gives
from ingest.evidence.counting import Told, evidence_rows
from ingest.evidence.labels import Labels, uses_of_label
from ingest.evidence.languages import MessageKind, line_kind, prepared_statement
from ingest.evidence.messages import decoder, message_of
from ingest.evidence.plans import planned_sql, uses_of_plan
from ingest.evidence.recognition import CODES, KINDS, UNKNOWN, Batch, Recogniser
from ingest.evidence.sensors import uses_of_sensor
from ingest.evidence.sessions import Session, Sessions
from ingest.evidence.statements import Statement, Statements
from ingest.grammar.normalise import without_values
from ingest.grammar.paths import Path, default_path
from ingest.meaning.resolve import Use
from ingest.meaning.world import History
from ingest.schemas import Outcome, Source

_ERROR = CODES[MessageKind.ERROR]
_DURATION = CODES[MessageKind.DURATION]
_HAVE_CONSTANTS = [CODES[kind] for kind in MessageKind if kind not in (MessageKind.SENSOR, MessageKind.OTHER)]
_SOURCES = {CODES[MessageKind.AUDIT]: Source.AUDIT, CODES[MessageKind.PLAN]: Source.PLAN}
_TOLD_ALONE = [CODES[kind] for kind in (MessageKind.AUDIT, MessageKind.PLAN, MessageKind.SENSOR)]
# Lines after a statement has run, or has been parsed: what it names is there.
_SUCCEEDED = [_DURATION, CODES[MessageKind.PREPARE]]


@dataclass(frozen=True, slots=True)
class Observed:
    """One use, and what told of it."""

    use: Use
    outcome: Outcome
    source: Source
    statement: Statement | None


class Labelled(NamedTuple):
    """Values whose label a line has in a constant."""

    uses: tuple[Use, ...]
    moment: datetime
    statement: Statement | None


class Reader:
    """Reads records against one snapshot; knows statements and sessions again from batch to batch."""

    def __init__(
        self, history: History, statements: Statements | None = None, sessions: Sessions | None = None
    ) -> None:
        self.history = history
        self.statements = statements or Statements()
        self.sessions = Sessions() if sessions is None else sessions
        self._database = history.snapshot.database
        # A log has lines from before the database got another name, and they may not have been read yet.
        planned = {entry.database for entry in history.snapshot.attic if entry.database}
        self._names = [name.encode() for name in sorted({self._database, *planned})] if self._database else []
        self._decode = decoder(history.snapshot.encoding)
        self._recogniser = Recogniser(self.statements, self._decode)
        self._cases = Cases(history, self.statements)
        self._labels = Labels(history.snapshot)
        self._defaults: dict[str, Path | None] = {}

    def rows(
        self,
        records: pa.Table,
        *,
        node: str,
        origin: str,
        known: set[str],
        sees_all: bool = False,
        holes: Collection[int] | None = None,
    ) -> EvidenceRows:
        """What a table of RECORD says, as rows of the tables.

        Statements that are not in `known` yet get a row and are added to it. `sees_all` says that the log
        shows every statement, so that what sessions set can be followed. `holes` are the offsets of records
        before which lines of their session are missing in this table; None where lines have no numbers.
        """
        told = self._read(records, sees_all=sees_all, holes=holes)
        return evidence_rows(told, node=node, origin=origin, known=known)

    def observe(
        self, records: pa.Table, *, sees_all: bool = False, holes: Collection[int] | None = None
    ) -> list[Observed]:
        """The uses that a table of RECORD tells of, in its order; the rest as for `rows`."""
        told = self._read(records, sees_all=sees_all, holes=holes)
        cases = (told.cases[place] for place in told.places.tolist() if place != UNKNOWN)
        return [
            Observed(use, case.outcome, case.source, case.statement) for case in cases for use in case.uses
        ]

    def _read(self, records: pa.Table, *, sees_all: bool, holes: Collection[int] | None) -> Told:
        self.sessions.watch(pc.min(records["occurred_at"]).as_py(), sees_all=sees_all)
        session, sessions = self._sessions_of(records, holes)
        is_ours = self._is_ours(records)
        if not is_ours.all():
            records, session = records.filter(pa.array(is_ours)), session[is_ours]
        records = records.combine_chunks()
        batch = self._recogniser.recognise(records)
        rows = np.flatnonzero(batch.statement != UNKNOWN)
        rows = rows[by_group(session[rows])]
        speech = Speech(session[rows], batch.kind[rows], batch.statement[rows], sessions, batch.statements)
        heard = hear(speech, self._lookup(records, rows, session), sees_all=sees_all)
        self.sessions.forget_old()
        places, cases = self._told(batch, rows, heard)
        unrecognised = int(np.count_nonzero(batch.kind == UNKNOWN))
        is_timed = batch.kind == _DURATION
        return Told(records, places, cases, is_timed, unrecognised, self._database, self._decode)

    def _is_ours(self, records: pa.Table) -> Flags:
        """The records of the snapshot's database, without those of pgattic's own sessions."""
        database = records["database"]
        # Where only names are known, every database counts; what has none is no session.
        found = (
            pc.is_in(database, pa.array(self._names, pa.binary()))
            if self._names
            else pc.not_equal(database, pa.scalar(b"", pa.binary()))
        )
        # Null where the log does not tell the database: it could be ours.
        is_here: Flags = np.asarray(pc.or_kleene(found, pc.is_null(database)).fill_null(True))
        ours = pa.scalar(APPLICATION_NAME.encode(), pa.binary())
        is_own: Flags = np.asarray(pc.equal(records["application"], ours).fill_null(False))
        return np.logical_and(is_here, ~is_own)

    def _sessions_of(self, records: pa.Table, holes: Collection[int] | None) -> tuple[Numbers, list[Session]]:
        """The session of each record, as a place among those of the batch; after lost lines it is another."""
        codes, ids = encoded(column(records, "session_id"))
        numbers = column(records, "session_line")
        firsts = numbers.take(first_places(codes, len(ids))).to_pylist()
        lasts = numbers.take(last_places(codes, len(ids))).to_pylist()
        names = [self._decode(each) for each in ids]
        sessions = [self.sessions.of(name, line) for name, line in zip(names, firsts, strict=True)]
        if holes is None:
            return codes, sessions
        for place, (name, first) in enumerate(zip(names, firsts, strict=True)):
            if first is not None and 0 < sessions[place].last_line < first - 1:
                sessions[place] = self.sessions.anew(name)
        if holes:
            is_after = np.isin(column(records, "log_offset").to_numpy(), list(holes))
            order = by_group(codes)
            begins = (np.diff(codes[order], prepend=-1) != 0) | is_after[order]
            sessions = [
                self.sessions.anew(names[codes[row]]) if is_after[row] else sessions[codes[row]]
                for row in order[begins].tolist()
            ]
            codes = np.empty_like(codes)
            codes[order] = np.cumsum(begins) - 1
        for name, last in zip(names, lasts, strict=True):
            self.sessions.spoke(name, last)
        return codes, sessions

    def _lookup(self, records: pa.Table, rows: Numbers, session: Numbers) -> Lookup:
        """What following the sessions asks of a session (by place), and of a line by its place in `rows`."""
        roles = column(records, "role")
        firsts = first_places(session, int(session.max(initial=0)) + 1)

        def default(place: int) -> tuple[str, Path | None]:
            role = self._decode(roles[int(firsts[place])].as_py())
            if role not in self._defaults:
                self._defaults[role] = default_path(self.history.snapshot, role)
            return role, self._defaults[role]

        def kept_sql(line: int) -> str | None:
            text = self._decode(records["message"][int(rows[line])].as_py())
            found = line_kind(text)
            return without_values(text[found[1] :]) if found else None

        def told_sql(line: int) -> str | None:
            return prepared_statement(self._decode(records["detail"][int(rows[line])].as_py()))

        return Lookup(default, kept_sql, told_sql, self.statements.of, self._cases.effects)

    def _told(self, batch: Batch, rows: Numbers, heard: Heard) -> tuple[Numbers, list[Case]]:
        """The case of each record, as its place in the list; UNKNOWN where it tells of no use."""
        places = np.full(len(batch.records), UNKNOWN, dtype=np.int64)
        cases: dict[int, tuple[int, Case]] = {}

        def place(case: Case) -> int:
            return cases.setdefault(id(case), (len(cases), case))[0]

        epochs = self._epochs(batch.records)
        counted = np.flatnonzero(~heard.is_again)
        kept = np.full(len(rows), UNKNOWN, dtype=np.int64)
        for line, statement in heard.kept.items():
            kept[line] = batch.place(statement)
        is_error = batch.kind[rows] == _ERROR
        flag = np.where(is_error, heard.is_told, np.isin(batch.kind[rows], _SUCCEEDED))
        what = np.where(is_error, batch.failure[rows], batch.statement[rows])
        columns = (is_error, what, flag, kept + 1, heard.path, epochs[rows])
        firsts, inverse = numbered(combined([each[counted].astype(np.int64) for each in columns]))
        of_key = np.zeros(len(firsts), dtype=np.int64)
        # Any moment of a stretch stands for it.
        moments = self._moments(batch.records, epochs)
        for key, line in enumerate(counted[firsts].tolist()):
            row = int(rows[line])
            epoch = int(epochs[row])
            setting = Setting(moments[epoch], epoch, *heard.paths[int(heard.path[line])])
            if is_error[line]:
                failure = batch.failures[int(what[line])]
                case = self._cases.failed(failure, setting, is_told=flag[line], kept=heard.kept.get(line))
            else:
                statement = batch.statements[int(what[line])]
                case = self._cases.ran(statement, setting, proves=flag[line], kept=heard.kept.get(line))
            of_key[key] = place(case)
        places[rows[counted]] = of_key[inverse]
        for row, case in self._told_alone(batch, epochs):
            places[row] = place(case)
        by_place = dict(cases.values())
        for row, uses in self._labelled(batch):
            setting = Setting(uses.moment, int(epochs[row]), None)
            known = by_place.get(int(places[row]))
            if known is None:
                source = _SOURCES.get(int(batch.kind[row]), Source.LOG)
                known = self._cases.told((), source, uses.statement, setting)
            case = self._cases.adding(known, uses.uses, setting)
            places[row] = place(case)
            by_place[int(places[row])] = case
        return places, [case for _, case in cases.values()]

    def _labelled(self, batch: Batch) -> Iterator[tuple[int, Labelled]]:
        """Lines of statements that have a deprecated label of an enum value in a constant, one by one.

        One that tells of a statement again can be the only one that has its parameters.
        """
        for label, has in self._labels.found(batch.records).items():
            rows = np.flatnonzero(has & np.isin(batch.kind, _HAVE_CONSTANTS))
            moments: list[Any] = column(batch.records, "occurred_at").take(rows).to_pylist()
            for row, moment in zip(rows.tolist(), moments, strict=True):
                uses = tuple(uses_of_label(label, self.history.world(moment)))
                number = int(batch.statement[row])
                statement = batch.statements[number] if number != UNKNOWN else None
                if uses:
                    yield row, Labelled(uses, moment, statement)

    def _told_alone(self, batch: Batch, epochs: Numbers) -> Iterator[tuple[int, Case]]:
        """Lines of audits, plans and sensors, one by one."""
        rows = np.flatnonzero(np.isin(batch.kind, _TOLD_ALONE))
        for row, values in zip(rows.tolist(), batch.records.take(rows).to_pylist(), strict=True):
            message = message_of(values, KINDS[int(batch.kind[row])], self._decode)
            # The path of the statement that the line is about has gone with it, or is its function's.
            setting = Setting(message.occurred_at, int(epochs[row]), None)
            world = self.history.world(message.occurred_at)
            match message.kind:
                case MessageKind.AUDIT:
                    source, sql = Source.AUDIT, audited_sql(message.text)
                    uses = uses_of_audit(message, self.statements, world, None)
                case MessageKind.PLAN:
                    source, sql = Source.PLAN, planned_sql(message.text)
                    uses = uses_of_plan(message, self.statements, world, None)
                case _:
                    source, sql = Source.SENSOR, message.sql
                    uses = uses_of_sensor(message, world)
            case = self._cases.told(uses, source, self.statements.of(sql) if sql else None, setting)
            if case.uses:
                yield row, case
            elif source is Source.SENSOR or sql is None:
                # It only looked like one.
                batch.kind[row] = UNKNOWN

    def _moments(self, records: pa.Table, epochs: Numbers) -> dict[int, datetime]:
        """A moment of each stretch of time."""
        firsts, _ = numbered(epochs)
        moments: list[Any] = column(records, "occurred_at").take(firsts).to_pylist()
        return dict(zip(epochs[firsts].tolist(), moments, strict=True))

    def _epochs(self, records: pa.Table) -> Numbers:
        """The stretch of time without a change of names that each record is in; nearly always one for all."""
        times = column(records, "occurred_at")
        ends: Any = pc.min_max(times).as_py()
        found = {self.history.epoch(ends[end]) for end in ("min", "max") if ends[end] is not None}
        if len(found) == 1:
            return np.full(len(times), found.pop(), dtype=np.int64)
        moments: list[Any] = times.to_pylist()
        return np.array([self.history.epoch(moment) for moment in moments], dtype=np.int64)
