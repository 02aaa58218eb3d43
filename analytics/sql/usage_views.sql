-- How elements are used, as views that anybody can ask. They stand on `used` and `used_hourly`.

-- One row a use. What several kinds of line tell of the same use counts once:
-- * the statement's own line and the error that it ended with (same session, statement and second) are one
--   failed use; a line that says how long it took has no error to it;
-- * of what else was told of an element by one session within one second, the kind of line that tells most
--   counts, and the others are left out.
-- A use is never left out because of another session's, and one that is told twice across the border of a
-- second counts twice: rather one too many than one too few.
CREATE VIEW use AS
WITH line AS (
    SELECT *, hash(node, session_id, epoch_us(occurred_at) // 1000000) AS moment
    FROM used
),
told_by_several AS (
    SELECT element, moment
    FROM line
    WHERE session_id IS NOT NULL
    GROUP BY element, moment
    HAVING min(source) <> max(source)
),
numbered AS (
    SELECT *, row_number() OVER (
                  PARTITION BY element, moment, statement_id, outcome, source, duration_ms IS NULL
                  ORDER BY log_offset) AS nth
    FROM line
    SEMI JOIN told_by_several USING (element, moment)
),
failed AS (
    SELECT DISTINCT element, moment, statement_id, nth FROM numbered WHERE outcome = 'error'
),
told AS (
    SELECT n.*, count(*) OVER (PARTITION BY n.element, n.moment, n.outcome, n.source) AS lines
    FROM numbered n
    ANTI JOIN failed f
           ON (n.outcome, n.source) = ('ok', 'log')
          AND n.duration_ms IS NULL
          AND (f.element, f.moment, f.nth) = (n.element, n.moment, n.nth)
          AND f.statement_id IS NOT DISTINCT FROM n.statement_id
)
SELECT * EXCLUDE (moment)
FROM line
ANTI JOIN told_by_several USING (element, moment)
UNION ALL BY NAME
SELECT * EXCLUDE (moment, nth, lines)
FROM told
QUALIFY source = first_value(source) OVER (
            PARTITION BY element, moment, outcome
            ORDER BY lines DESC, list_position(['error', 'log', 'audit', 'sensor', 'plan'], source));

-- Uses by the hour and source of every element that was ever named, in the attic or not. The kind of line that
-- tells most of a caller's uses in an hour counts. A statement's line and its error are one, but not where the
-- line says how long it took: what failed has none such.
CREATE VIEW hourly_use AS
WITH told AS (
    SELECT hour, node, element, role, database, application, outcome, source, statement_id,
           sum(uses)                                                  AS uses,
           coalesce(sum(timed), 0)                                    AS timed,
           coalesce(sum(uses) FILTER (operation <> 'read'), 0)        AS writes,
           min(first_at)                                              AS first_at,
           max(last_at)                                               AS last_at
    FROM used_hourly
    GROUP BY ALL
),
failed AS (
    SELECT hour, node, element, role, database, application, statement_id, max(uses) AS uses
    FROM told
    WHERE outcome = 'error'
    GROUP BY ALL
),
single AS (
    SELECT t.* REPLACE (t.uses - least(coalesce(f.uses, 0), t.uses - t.timed) AS uses)
    FROM told t
    LEFT JOIN failed f
           ON (t.outcome, t.source) = ('ok', 'log')
          AND (f.hour, f.node, f.element) = (t.hour, t.node, t.element)
          AND f.role IS NOT DISTINCT FROM t.role
          AND f.database IS NOT DISTINCT FROM t.database
          AND f.application IS NOT DISTINCT FROM t.application
          AND f.statement_id IS NOT DISTINCT FROM t.statement_id
),
by_source AS (
    SELECT hour, node, element, role, database, application, outcome, source,
           sum(uses)::BIGINT                AS uses,
           least(sum(writes), sum(uses))::BIGINT AS writes,
           min(first_at)                    AS first_at,
           max(last_at)                     AS last_at
    FROM single
    GROUP BY ALL
    HAVING sum(uses) > 0
)
SELECT *
FROM by_source
QUALIFY source = first_value(source) OVER (
            PARTITION BY hour, node, element, role, database, application, outcome
            ORDER BY uses DESC, list_position(['error', 'log', 'audit', 'sensor', 'plan'], source));

-- How often each element was used, and by how many.
CREATE VIEW usage_frequency AS
SELECT element,
       sum(uses)::BIGINT                                              AS uses,
       coalesce(sum(uses) FILTER (outcome = 'error'), 0)::BIGINT      AS errors,
       sum(writes)::BIGINT                                            AS writes,
       min(first_at)                                                  AS first_at,
       max(last_at)                                                   AS last_at,
       count(DISTINCT hour::DATE)::BIGINT                             AS days_used,
       count(DISTINCT (role, database, application))::BIGINT          AS callers
FROM hourly_use
GROUP BY element;

-- When in the week: ISO weekday (1 is Monday) and hour, UTC.
CREATE VIEW usage_timing AS
SELECT element, isodow(hour) AS weekday, hour(hour) AS hour_of_day, sum(uses)::BIGINT AS uses
FROM hourly_use
GROUP BY ALL;

-- Day by day; a day without a use has no row.
CREATE VIEW usage_daily AS
SELECT element,
       hour::DATE                                                     AS used_on,
       sum(uses)::BIGINT                                              AS uses,
       coalesce(sum(uses) FILTER (outcome = 'error'), 0)::BIGINT      AS errors
FROM hourly_use
GROUP BY ALL;

-- Who, from where, through what; of elements that are or were in the attic.
CREATE VIEW usage_sources AS
SELECT element, role, application, client, database, via,
       count(*)::BIGINT                                               AS uses,
       count(*) FILTER (outcome = 'error')::BIGINT                    AS errors,
       min(occurred_at)                                               AS first_at,
       max(occurred_at)                                               AS last_at
FROM use
GROUP BY ALL;

-- With which statements (normalised); of elements that are or were in the attic.
CREATE VIEW usage_statements AS
SELECT u.element, u.statement_id, any_value(s.text) AS statement,
       count(*)::BIGINT                                               AS uses,
       count(*) FILTER (outcome = 'error')::BIGINT                    AS errors,
       min(occurred_at)                                               AS first_at,
       max(occurred_at)                                               AS last_at
FROM use u
LEFT JOIN (SELECT statement_id, any_value(text) AS text FROM statement GROUP BY statement_id) s
       ON s.statement_id = u.statement_id
GROUP BY u.element, u.statement_id;

-- Callers whose newest uses of an element failed, with no use since that worked.
CREATE VIEW broken_caller AS
SELECT *
FROM (
    SELECT element, role, application, client, database,
           max(occurred_at) FILTER (outcome = 'ok')                   AS last_worked_at,
           min(occurred_at) FILTER (outcome = 'error' AND occurred_at > coalesce(worked, '-infinity'))
                                                                      AS failing_since,
           max(occurred_at) FILTER (outcome = 'error')                AS last_failed_at,
           count(*) FILTER (outcome = 'error' AND occurred_at > coalesce(worked, '-infinity'))::BIGINT
                                                                      AS failures
    FROM (SELECT *, max(occurred_at) FILTER (outcome = 'ok') OVER (
                        PARTITION BY element, role, application, client, database) AS worked
          FROM use)
    GROUP BY element, role, application, client, database
)
WHERE failures > 0;

-- How long the statements took that used an element, in milliseconds, where the log tells.
CREATE VIEW usage_duration AS
SELECT element,
       count(*)::BIGINT                        AS statements,
       quantile_cont(duration_ms, 0.5)         AS median_ms,
       quantile_cont(duration_ms, 0.9)         AS p90_ms,
       quantile_cont(duration_ms, 0.99)        AS p99_ms,
       max(duration_ms)                        AS longest_ms
FROM (SELECT DISTINCT element, origin, log_offset, duration_ms FROM used WHERE duration_ms IS NOT NULL)
GROUP BY element;
