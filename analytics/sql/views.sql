-- Uses by others: what pgattic itself does to an element in its own sessions is no use of it.
CREATE VIEW used AS
SELECT * FROM access
WHERE NOT (outcome = 'ok' AND application IS NOT DISTINCT FROM getvariable('own_application'));

CREATE VIEW used_hourly AS
SELECT * FROM usage_hourly
WHERE NOT (outcome = 'ok' AND application IS NOT DISTINCT FROM getvariable('own_application'));
