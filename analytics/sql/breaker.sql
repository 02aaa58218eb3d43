-- The circuit breaker, if it is open; nothing where it is closed.
SELECT opened_at, reason FROM pgattic.breaker WHERE reset_at IS NULL
