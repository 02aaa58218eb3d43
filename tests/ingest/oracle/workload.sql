-- Statements in blocks; a blank line ends each. `-- as` begins a session of a role, `-- with` gives the next
-- statement parameters, which makes it go through the extended protocol.

-- as owner

SELECT id, email FROM shop.customers WHERE id = 3

SELECT * FROM shop.active_customers WHERE id = 4

SELECT email, sum(total) FROM shop.customer_orders GROUP BY 1

SELECT * FROM shop.best

SELECT tax FROM shop.taxed WHERE id = 1

REFRESH MATERIALIZED VIEW shop.revenue

TABLE shop.revenue

SELECT shop.total_of(3)

SELECT shop.total_of(999)

SELECT * FROM shop.all_totals() WHERE id < 3

SELECT shop.atomic_count(), shop.dynamic_count(), shop.looping()

SELECT shop.of_the_path()

CALL shop.close_order(20)

DO $$ BEGIN PERFORM shop.setting('country'); UPDATE shop.rates SET rate = rate + 0.01; END $$

INSERT INTO shop.customers (email) VALUES ('new@example.org') RETURNING id

INSERT INTO shop.customers (id, email) VALUES (1, 'c1@example.org') ON CONFLICT (id) DO UPDATE SET email = excluded.email

INSERT INTO shop.orders (customer_id, total) VALUES (5, 12)

INSERT INTO shop.orders (id, customer_id, total, country) SELECT 100 + id, id, 5, 'fr' FROM shop.active_customers WHERE id < 4

INSERT INTO shop.order_entry VALUES (200, 17)

INSERT INTO shop.order_lines VALUES (1, 2, 3)

UPDATE shop.orders SET id = 300 WHERE id = 2

UPDATE shop.editable SET name = 'edited' WHERE id = 6

UPDATE shop.cheap_products SET price = 9 WHERE id = 3

UPDATE shop.orders o SET total = total + 1 FROM shop.customers c WHERE c.id = o.customer_id AND c.email LIKE 'c7@%'

DELETE FROM shop.customers WHERE id = 9

DELETE FROM shop.categories WHERE id = 3

DELETE FROM shop.order_lines USING shop.products p WHERE p.id = product_id AND p.sku = 'sku4'

WITH gone AS (DELETE FROM shop.events WHERE at = '2025-06-03' RETURNING id) INSERT INTO shop.archive SELECT id, 'event' FROM gone

WITH RECURSIVE tree AS (SELECT id FROM shop.categories WHERE parent_id IS NULL UNION ALL SELECT c.id FROM shop.categories c JOIN tree t ON c.parent_id = t.id) SELECT count(*) FROM tree

MERGE INTO shop.products p USING (SELECT 1 AS id, 5 AS price UNION SELECT 77, 6) s ON p.id = s.id WHEN MATCHED THEN UPDATE SET price = s.price WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'sku77', s.price, 1)

MERGE INTO shop.customers c USING shop.members m ON c.id = m.customer_id WHEN MATCHED AND c.id = 2 THEN DELETE

SELECT count(*) FROM shop.events

SELECT * FROM shop.events WHERE at BETWEEN '2026-06-01' AND '2026-06-05'

INSERT INTO shop.events VALUES (500, '2026-08-08', 5)

UPDATE shop.events SET at = '2026-09-09' WHERE at = '2025-06-05'

SELECT label FROM shop.things

SELECT label FROM ONLY shop.things

UPDATE shop.things SET label = 'x'

INSERT INTO shop.special_things VALUES (1, 'a', 'b')

SELECT 1 WHERE EXISTS (SELECT FROM shop.settings WHERE key = 'x') OR 2 IN (SELECT id FROM shop.archive)

SELECT c.name, (SELECT max(total) FROM shop.orders o WHERE o.customer_id = c.id) FROM shop.customers c, LATERAL (SELECT * FROM shop.members m WHERE m.customer_id = c.id) x

SELECT count(*) FROM shop.customers WHERE mood = 'happy'::shop.mood

SELECT u FROM shop.settings u

SELECT to_jsonb(r) FROM shop.rates r

VALUES ((SELECT count(*) FROM shop.archive))

EXPLAIN SELECT * FROM shop.customer_orders

EXPLAIN ANALYZE UPDATE shop.rates SET rate = rate

SELECT * FROM shop.products WHERE id = 1 FOR UPDATE

CREATE TEMPORARY TABLE found AS SELECT * FROM shop.cheap_products

SELECT id INTO TEMPORARY found_too FROM shop.active_customers

COPY shop.products TO '/dev/null'

COPY (SELECT * FROM shop.customer_orders) TO '/dev/null'

COPY shop.archive FROM '/dev/null'

PREPARE by_sku(text) AS SELECT * FROM shop.products WHERE sku = $1

EXECUTE by_sku('sku7')

EXECUTE by_sku('sku8')

DEALLOCATE by_sku

BEGIN

DECLARE walking CURSOR FOR SELECT * FROM shop.customer_orders

FETCH 2 FROM walking

DECLARE writing CURSOR FOR SELECT * FROM shop.rates FOR UPDATE

FETCH writing

UPDATE shop.rates SET rate = 0.5 WHERE CURRENT OF writing

COMMIT

TRUNCATE shop.order_lines

SELECT setval('shop.numbers', 5000)

-- as owner

INSERT INTO shop.comments VALUES (1, 'good', 3)

SELECT 'good'::shop.polite

SELECT shop.capped(7)

SELECT shop.count_seen(email) FROM shop.customers

SELECT sum(total) OVER (ORDER BY shop.total_of(id)) FROM shop.orders WHERE id < 3

SELECT 'de' OPERATOR(shop.=~) 0.1

SELECT ROW(1, 2)::shop.point::text

SELECT shop.overloaded('x'::text)

SELECT * FROM shop.many()

SELECT shop.unqualified()

SET search_path = tenant_b

SELECT shop.unqualified()

RESET search_path

BEGIN

INSERT INTO shop.comments VALUES (2, 'late', 4)

INSERT INTO shop.payments VALUES (1, 1, 10)

COMMIT

SELECT * FROM shop.guarded

UPDATE shop.best SET total = 5 WHERE email = 'c3@example.org'

SELECT count(*) FROM shop.deep

SELECT shop.deeper()

CREATE VIEW shop.made AS SELECT 1

DROP VIEW shop.made

ALTER TABLE shop.payments ADD CHECK (amount < 10000)

ALTER TABLE shop.payments ADD FOREIGN KEY (id) REFERENCES shop.customers NOT VALID

ALTER TABLE shop.order_lines ADD FOREIGN KEY (quantity) REFERENCES shop.products

CREATE TABLE public.copied AS SELECT c.id FROM shop.customers c WHERE c.id IN (SELECT id FROM shop.archive)

CREATE INDEX ON shop.payments (amount)

SELECT * FROM ts_stat('SELECT to_tsvector(body) FROM public.notes')

SELECT (c).email FROM (SELECT c FROM shop.customers c LIMIT 1) x

SELECT count(*) FROM shop.customers TABLESAMPLE SYSTEM (50), ROWS FROM (shop.all_totals(), generate_series(1, 3)) r

DELETE FROM shop.things

INSERT INTO shop.cheap_products VALUES (900, 'cheap', 1)

INSERT INTO shop.products AS p (id, sku, price) VALUES (901, 'sku901', shop.highest()) ON CONFLICT (sku) DO UPDATE SET price = shop.capped(3) WHERE p.price > (SELECT max(rate) FROM shop.rates) RETURNING (SELECT count(*) FROM shop.seen)

PREPARE counting AS SELECT count(*) FROM shop.deep

EXPLAIN EXECUTE counting

EXECUTE counting

CREATE TEMPORARY TABLE counted AS EXECUTE counting

SELECT * FROM shop.orders o NATURAL JOIN shop.archive a ORDER BY shop.setting('x') LIMIT (SELECT count(*) FROM shop.limits)

SELECT CASE WHEN EXISTS (SELECT FROM shop.seen) THEN (SELECT min(word) FROM shop.blocked) END FROM shop.limits GROUP BY GROUPING SETS ((), (shop.highest())) HAVING count(*) > (SELECT count(*) FROM shop.members)

DO $$ DECLARE r shop.rates%ROWTYPE; c refcursor; BEGIN OPEN c FOR SELECT * FROM shop.rates; FETCH c INTO r; CLOSE c; FOR r IN EXECUTE 'SELECT * FROM shop.rates' LOOP NULL; END LOOP; INSERT INTO shop.seen SELECT word FROM shop.blocked; ASSERT (SELECT count(*) FROM shop.limits) > 0; END $$

-- as owner

SELECT * FROM parts.everywhere()

SELECT "Spalte" FROM "Größe ""q"" a.b"

INSERT INTO "Größe ""q"" a.b" VALUES (1, 'x')

INSERT INTO shop.liars (id, owner) VALUES (1, 11)

DELETE FROM shop.customers WHERE id = 11

INSERT INTO shop.liars DEFAULT VALUES

INSERT INTO shop.indexed (id) VALUES (1)

UPDATE shop.indexed SET id = 2

INSERT INTO shop.regions VALUES (1, 'north')

UPDATE shop.regions SET id = 5

BEGIN

SELECT shop.opened('found')

FETCH ALL FROM found

SAVEPOINT before

SET search_path = tenant_b

SELECT body FROM notes

ROLLBACK TO SAVEPOINT before

SELECT id FROM notes

COMMIT

SELECT shop.several()

SELECT low FROM shop.extremes()

SELECT (shop.all_totals()).total

SELECT count(*) FROM shop.customers c JOIN shop.members m ON m.customer_id = c.id WHERE c.id = ANY (ARRAY(SELECT id FROM shop.archive)) OR (c.id, c.name) IN (SELECT id, why FROM shop.archive)

CREATE MATERIALIZED VIEW shop.once AS SELECT shop.setting('x'), shop.highest()

COPY shop.indexed (id) FROM '/dev/null' WHERE shop.is_allowed(id)

DO $$ BEGIN EXECUTE 'DO $d$ BEGIN PERFORM * FROM shop.blocked; END $d$'; END $$

EXPLAIN (ANALYZE, VERBOSE) SELECT shop.total_of(4)

SELECT set_config('search_path', 'tenant_b', false)

SELECT body FROM notes

SELECT which()

DISCARD ALL

SELECT which()

-- as stranger

SET search_path = "$user", tenant_b

SELECT body FROM notes

SELECT count(*) FROM shop.limits

INSERT INTO shop.limits VALUES (3)

-- as app

SELECT count(*) FROM orders

INSERT INTO orders (customer_id, total) VALUES (1, 5)

SELECT body FROM notes

SET search_path = tenant_b

SELECT body FROM notes

BEGIN; SET LOCAL search_path = public, shop; SELECT body FROM notes; SELECT name FROM categories; COMMIT

SELECT body FROM notes

RESET search_path

UPDATE notes SET body = 'x'

DELETE FROM customers WHERE id = 12

-- with 3

SELECT email FROM customers WHERE id = %s

-- with 3

SELECT shop.total_of(%s::int)

-- with 4, 5

DELETE FROM order_lines WHERE order_id IN (%s, %s)

-- as report

SELECT email FROM active_customers

SELECT body FROM notes

SELECT body FROM tenant_a.notes UNION ALL SELECT body FROM tenant_b.notes

SELECT count(*) FROM customer_orders

-- as stranger

SELECT body FROM notes

SELECT count(*) FROM shop.orders
