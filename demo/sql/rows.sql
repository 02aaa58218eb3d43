-- About 210,000 rows, the same in every run.
SELECT setseed(0.2016);

INSERT INTO countries (code, name, currency)
VALUES ('DE', 'Germany', 'EUR'), ('FR', 'France', 'EUR'), ('GB', 'United Kingdom', 'GBP'), ('PL', 'Poland', 'PLN');

INSERT INTO users (id, login, full_name, last_login_at)
SELECT n, 'staff' || n, 'Member of staff ' || n, timestamptz '2026-11-01' - n * interval '3 hours'
FROM generate_series(1, 40) AS n;

INSERT INTO customers (id, email, full_name, phone, fax, country_code, created_at)
SELECT n, 'customer' || n || '@example.com', 'Customer ' || n,
       '+49 30 ' || 1000000 + n, '+49 30 ' || 2000000 + (random() * 7000000)::integer,
       (ARRAY['DE', 'FR', 'GB', 'PL'])[1 + n % 4], timestamptz '2016-01-01' + n * interval '3 hours'
FROM generate_series(1, 30000) AS n;

INSERT INTO addresses (id, customer_id, street, city, postcode, country_code)
SELECT id, id, 'Long Street ' || id % 300, 'Town ' || id % 90, lpad((id % 90000)::text, 5, '0'), country_code
FROM customers;

INSERT INTO categories (id, name, parent_id)
SELECT n, 'Category ' || n, CASE WHEN n > 5 THEN 1 + n % 5 END FROM generate_series(1, 30) AS n;

INSERT INTO suppliers (id, name, email, country_code)
SELECT n, 'Supplier ' || n, 'sales@supplier' || n || '.example', (ARRAY['DE', 'FR', 'GB', 'PL'])[1 + n % 4]
FROM generate_series(1, 50) AS n;

INSERT INTO products (id, sku, name, category_id, supplier_id, price)
SELECT n, 'SKU-' || lpad(n::text, 6, '0'), 'Product ' || n, 1 + n % 30, 1 + n % 50, round((5 + random() * 195)::numeric, 2)
FROM generate_series(1, 2000) AS n;

INSERT INTO warehouses (id, name, city) VALUES (1, 'North', 'Hamburg'), (2, 'South', 'Lyon'), (3, 'East', 'Warsaw');

INSERT INTO inventory (product_id, warehouse_id, quantity)
SELECT p.id, w.id, (100000 + random() * 1000)::integer FROM products p CROSS JOIN warehouses w;

-- The trigger would write an event for each order; these are older than the trigger.
ALTER TABLE orders DISABLE TRIGGER orders_note_state;
INSERT INTO orders (id, customer_id, address_id, state, legacy_status, total, placed_at)
SELECT n, c, c,
       (CASE WHEN n > 39500 THEN 'placed' WHEN n % 20 = 0 THEN 'cancelled' ELSE 'delivered' END)::order_state,
       CASE WHEN n < 20000 THEN 'S' || n % 7 END, round((10 + random() * 490)::numeric, 2),
       timestamptz '2017-01-01' + n * interval '2 hours'
FROM (SELECT n, 1 + (random() * 29999)::integer AS c FROM generate_series(1, 40000) AS n) AS drawn;
ALTER TABLE orders ENABLE TRIGGER orders_note_state;

INSERT INTO order_items (order_id, line, product_id, quantity, unit_price)
SELECT o.id, line, 1 + (o.id * 7 + line) % 2000, 1 + (o.id + line) % 3, 19.90
FROM orders o CROSS JOIN generate_series(1, 1 + o.id % 2) AS line;

INSERT INTO payments (order_id, method, state, amount, paid_at)
SELECT id, (CASE WHEN id % 3 = 0 THEN 'transfer' ELSE 'card' END)::payment_method, 'captured', total, placed_at + interval '1 minute'
FROM orders WHERE state = 'delivered' AND id > 30000;

INSERT INTO shipments (order_id, warehouse_id, tracking_code, shipped_at, delivered_at)
SELECT id, 1 + id % 3, 'T' || id, placed_at + interval '1 day', placed_at + interval '3 days'
FROM orders WHERE state = 'delivered' AND id > 30000;

INSERT INTO reviews (product_id, customer_id, stars, body, written_at)
SELECT 1 + n % 2000, 1 + n % 30000, 1 + n % 5, 'Review ' || n, timestamptz '2020-01-01' + n * interval '9 hours'
FROM generate_series(1, 5000) AS n;

INSERT INTO newsletter_2019 (email, subscribed_at, opened_mails)
SELECT 'reader' || n || '@example.com', timestamptz '2019-01-01' + n * interval '30 minutes', n % 12
FROM generate_series(1, 15000) AS n;

INSERT INTO users_old (email, full_name, country, registered_at)
SELECT 'member' || n || '@example.org', 'Member ' || n, (ARRAY['DE', 'FR', 'GB', 'PL'])[1 + n % 4],
       timestamptz '2010-01-01' + n * interval '5 hours'
FROM generate_series(1, 8000) AS n;

-- The rows above came with their own ids.
SELECT setval(pg_get_serial_sequence('customers', 'id'), 30000), setval(pg_get_serial_sequence('addresses', 'id'), 30000),
       setval(pg_get_serial_sequence('orders', 'id'), 40000), setval(pg_get_serial_sequence('products', 'id'), 2000);

REFRESH MATERIALIZED VIEW sales_by_month;
ANALYZE;
