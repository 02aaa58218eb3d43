"""What a session's lines say about each other: which of them tell of one run, and under which path it was."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ingest.evidence.columns import Flags, Numbers
from ingest.evidence.languages import MessageKind
from ingest.evidence.recognition import CODES, KINDS
from ingest.evidence.sessions import UNKNOWN, Session
from ingest.evidence.statements import Statement
from ingest.grammar.paths import Path
from ingest.grammar.references import Effect, Keep, RunKept, SetPath, SetRole, Transaction

_PREPARE, _ERROR = CODES[MessageKind.PREPARE], CODES[MessageKind.ERROR]
# Lines that come before the statement has ended: more can follow about the same run.
_BEFORE_END = (CODES[MessageKind.STATEMENT], CODES[MessageKind.EXECUTE], _PREPARE)


@dataclass(frozen=True, slots=True)
class Speech:
    """The lines of a batch about statements: session by session, each in the order of the log.

    `session`, `kind` and `statement` are places in `sessions`, KINDS and `statements`.
    """

    session: Numbers
    kind: Numbers
    statement: Numbers
    sessions: list[Session]
    statements: list[Statement]


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of each line from the others.

    `is_again`: it tells again of a run that another line tells of. `is_told`: it is an error, and the line of
    its statement told of the uses. `path` is a place in `paths`, each with whether it is only believed;
    `kept` are the statements, kept by name, that lines ran.
    """

    is_again: Flags
    is_told: Flags
    path: Numbers
    paths: list[tuple[Path | None, bool]]
    kept: dict[int, Statement]


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the codes do not tell.

    `default` gives the role and the first path of a session, `kept_sql` what may be kept of a line's
    statement, `told_sql` the statement that a line's detail says it ran, `find` the statement of a text, and
    `effects` what a statement does to its session.
    """

    default: Callable[[int], tuple[str, Path | None]]
    kept_sql: Callable[[int], str | None]
    told_sql: Callable[[int], str | None]
    find: Callable[[str], Statement]
    effects: Callable[[Statement], tuple[Effect, ...]]


def hear(speech: Speech, lookup: Lookup, *, sees_all: bool) -> Heard:
    """Follow the sessions through a batch; they are changed.

    Where the log does not show all statements (`sees_all`), no path is known.
    """
    count = len(speech.session)
    if not count:
        nothing = np.zeros(0, dtype=np.int64)
        return Heard(nothing.astype(bool), nothing.astype(bool), nothing, [], {})
    starts = np.flatnonzero(np.diff(speech.session, prepend=-1))
    ends = np.append(starts[1:], count)
    ids: dict[str, int] = {}
    same = np.array(
        [ids.setdefault(each.statement_id, len(ids)) for each in speech.statements], dtype=np.int64
    )
    said = same[speech.statement]
    is_next = (speech.session[:-1] == speech.session[1:]) & (said[:-1] == said[1:])
    is_again = np.zeros(count, dtype=bool)
    is_again[:-1] = is_next & (speech.kind[:-1] == _PREPARE)
    is_told = np.zeros(count, dtype=bool)
    is_told[1:] = (
        is_next & (speech.kind[1:] == _ERROR) & np.isin(speech.kind[:-1], _BEFORE_END) & ~is_again[:-1]
    )
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        _go_on(speech, start, end, is_again, is_told)
    follower = _Follower(speech, lookup, sees_all=sees_all)
    path = follower.paths_of(starts, ends, is_again, is_told)
    return Heard(is_again, is_told, path, list(follower.places), follower.kept)


def _go_on(speech: Speech, start: int, end: int, is_again: Flags, is_told: Flags) -> None:
    """A session's first lines may tell again of the run that the batch before ended with."""
    session = speech.sessions[speech.session[start]]
    if session.told is not None:
        statement_id, kind = session.told
        first = start
        while first < end - 1 and is_again[first]:
            first += 1
        if speech.statements[speech.statement[first]].statement_id == statement_id:
            if speech.kind[first] == _ERROR:
                is_told[first] = True
            elif kind == MessageKind.PREPARE:
                is_again[first] = True
    last = end - 1
    kind_of_last = int(speech.kind[last])
    if kind_of_last in _BEFORE_END:
        session.told = speech.statements[speech.statement[last]].statement_id, KINDS[kind_of_last]
    else:
        session.told = None


class _Follower:
    """Follows what sessions set."""

    def __init__(self, speech: Speech, lookup: Lookup, *, sees_all: bool) -> None:
        self.places: dict[tuple[Path | None, bool], int] = {(None, False): 0}
        self.kept: dict[int, Statement] = {}
        self._speech = speech
        self._lookup = lookup
        self._sees_all = sees_all
        self._effects = [lookup.effects(each) for each in speech.statements]
        self._has_effect = np.array([bool(each) for each in self._effects], dtype=bool)
        # Transactions alone change nothing.
        self._is_setting = np.array(
            [any(not isinstance(effect, Transaction) for effect in each) for each in self._effects],
            dtype=bool,
        )

    def paths_of(self, starts: Numbers, ends: Numbers, is_again: Flags, is_told: Flags) -> Numbers:
        """The path of each line."""
        speech = self._speech
        path = np.zeros(len(speech.session), dtype=np.int64)
        moves = self._has_effect[speech.statement] & ~is_again
        sets = np.logical_or.reduceat(self._is_setting[speech.statement] & ~is_again, starts)
        moves_any = np.logical_or.reduceat(moves, starts)
        for start, end, is_setting, is_moving in zip(
            starts.tolist(), ends.tolist(), sets.tolist(), moves_any.tolist(), strict=True
        ):
            place = int(speech.session[start])
            session = speech.sessions[place]
            path[start:end] = self._place(place)
            if is_setting or session.is_open:
                self._walk(start, end, path, moves, is_told)
            elif is_moving:
                last = start + int(np.flatnonzero(moves[start:end])[-1])
                for effect in self._effects[speech.statement[last]]:
                    session.apply(effect)
        return path

    def _walk(self, start: int, end: int, path: Numbers, moves: Flags, is_told: Flags) -> None:
        speech = self._speech
        place = int(speech.session[start])
        session = speech.sessions[place]
        is_error = speech.kind[start:end] == _ERROR
        for line in (start + np.flatnonzero(moves[start:end] | is_error)).tolist():
            statement = speech.statements[speech.statement[line]]
            effects = self._effects[speech.statement[line]]
            for effect in effects:
                if isinstance(effect, RunKept):
                    sql = self._lookup.told_sql(line) or session.kept_for(effect)
                    if sql is not None:
                        self.kept[line] = self._lookup.find(sql)
            sets_path = any(isinstance(effect, (SetPath, SetRole)) for effect in effects)
            if speech.kind[line] == _ERROR:
                session.fail()
                if sets_path and is_told[line]:
                    # Its own line was taken for done.
                    session.setting = UNKNOWN
            elif speech.kind[line] != _PREPARE:
                for effect in effects:
                    session.apply(effect)
                    if isinstance(effect, Keep):
                        sql = self._lookup.kept_sql(line)
                        if sql is not None:
                            session.keep(effect, sql)
            now = self._place(place)
            # In a string of several statements nobody knows which names were looked for before.
            path[line] = 0 if sets_path and statement.references.relations else path[line]
            path[line + 1 : end] = now

    def _place(self, session: int) -> int:
        if not self._sees_all:
            return 0
        role, default = self._lookup.default(session)
        speaker = self._speech.sessions[session]
        path = speaker.path(role, default)
        is_believed = path is not None and speaker.setting is None
        return self.places.setdefault((path, is_believed), len(self.places))
