-- Tables that a subscription of this database writes to: it finds them by the publisher's name for them.
SELECT r.srrelid::bigint AS oid, s.subname AS name, s.subenabled AS is_enabled
FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
