SELECT date_trunc('year', registered_at) AS year, count(*) AS members
FROM users_old
WHERE country = %(country)s AND email <> %(excluded)s
GROUP BY 1
ORDER BY 1
