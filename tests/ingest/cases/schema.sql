-- What the golden cases run against. Statements find names by the path app, public.
CREATE SCHEMA app;
CREATE SCHEMA archive;
CREATE SCHEMA tools;
SET search_path = app, public;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN checked_mood AS mood CHECK (VALUE <> 'sad');
CREATE TYPE address AS (street text, feeling mood);

CREATE TABLE customers (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email text,
    feeling mood DEFAULT 'ok',
    CONSTRAINT customers_email_key UNIQUE (email)
);
CREATE INDEX customers_name_idx ON customers (name);
CREATE STATISTICS customers_stats ON name, email FROM customers;

CREATE TABLE orders (
    id serial PRIMARY KEY,
    customer_id integer CONSTRAINT orders_customer_fkey REFERENCES customers ON UPDATE CASCADE,
    total numeric CONSTRAINT orders_total_check CHECK (total >= 0),
    tax numeric DEFAULT 0,
    gross numeric GENERATED ALWAYS AS (total + tax) STORED,
    note text
);
CREATE INDEX orders_customer_idx ON orders (customer_id);
CREATE TABLE order_lines (
    order_id integer CONSTRAINT order_lines_order_fkey REFERENCES orders ON DELETE CASCADE,
    line integer,
    sku text,
    quantity integer,
    PRIMARY KEY (order_id, line)
);
CREATE TABLE shipments (
    id integer PRIMARY KEY,
    order_id integer CONSTRAINT shipments_order_fkey REFERENCES orders ON DELETE SET NULL,
    carrier text
);
CREATE TABLE archive.orders (id integer, total numeric, archived_at timestamptz);
CREATE TABLE stock (sku text, place text, amount integer);
CREATE UNIQUE INDEX stock_sku_idx ON stock (sku, place);
CREATE TABLE plain (a integer, b text, c text);
CREATE TABLE other (a integer, d text);
CREATE TABLE points (home address, near address);

-- Views: plain, over a view, over two tables, with an INSTEAD OF trigger, with rules.
CREATE VIEW customer_names AS SELECT id, name FROM customers;
CREATE VIEW first_names AS SELECT split_part(name, ' ', 1) AS first_name FROM customer_names;
CREATE VIEW renamed (number, label) AS SELECT a, b FROM plain;
CREATE VIEW customer_orders AS SELECT c.name, o.id, o.total FROM customers c JOIN orders o ON o.customer_id = c.id;
CREATE VIEW ruled AS SELECT a, b FROM plain;
CREATE RULE ruled_insert AS ON INSERT TO ruled DO INSTEAD INSERT INTO other (a, d) VALUES (new.a, new.b);
CREATE MATERIALIZED VIEW totals AS SELECT customer_id, sum(total) AS total FROM orders GROUP BY customer_id;
CREATE UNIQUE INDEX totals_idx ON totals (customer_id);

-- A rule on a table, and what it writes.
CREATE TABLE messages (id integer, body text);
CREATE TABLE message_log (id integer, at timestamptz);
CREATE RULE messages_log AS ON DELETE TO messages DO ALSO INSERT INTO message_log (id) VALUES (old.id);

-- Functions of every sort.
CREATE FUNCTION count_plain() RETURNS bigint LANGUAGE sql AS 'SELECT count(b) FROM plain';
CREATE FUNCTION atomic_plain() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(c) FROM plain; END;
CREATE FUNCTION add_plain(n integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    found_mood app.mood;
    numbers integer[];
BEGIN
    INSERT INTO plain (a) VALUES (n);
END
$$;
CREATE FUNCTION outer_function() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN count_plain(); END';
CREATE FUNCTION pick(x integer) RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM plain';
CREATE FUNCTION pick(x text) RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM other';
CREATE FUNCTION run_text(query text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE query; END';
CREATE FUNCTION dynamic() RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DELETE FROM ' || quote_ident('plain'); END$$;
CREATE FUNCTION tools.elsewhere() RETURNS bigint LANGUAGE sql SET search_path = archive AS 'SELECT count(*) FROM orders';
CREATE FUNCTION set_tenant(name text) RETURNS void LANGUAGE plpgsql AS
    $$BEGIN PERFORM set_config('search_path', name, false); END$$;
CREATE FUNCTION row_of(customers) RETURNS text LANGUAGE sql AS 'SELECT $1.name';
CREATE PROCEDURE tidy() LANGUAGE sql AS 'DELETE FROM other WHERE a < 0';
CREATE FUNCTION is_known(sku text) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM app.stock s WHERE s.sku = $1)';
CREATE FUNCTION next_number() RETURNS integer LANGUAGE plpgsql AS $$BEGIN RETURN nextval('app.numbers'); END$$;
CREATE SEQUENCE numbers;

CREATE FUNCTION same_mood(mood, mood) RETURNS boolean LANGUAGE sql AS 'SELECT $1::text = $2::text';

-- Triggers.
CREATE TABLE audit (id integer, what text, at timestamptz);
CREATE FUNCTION write_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (id, what) VALUES (NEW.id, NEW.carrier);
    RETURN NEW;
END
$$;
CREATE TRIGGER shipments_audit AFTER INSERT OR UPDATE OF carrier ON shipments FOR EACH ROW EXECUTE FUNCTION write_audit();
CREATE FUNCTION write_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE customers SET name = NEW.first_name WHERE name = OLD.first_name;
    RETURN NEW;
END
$$;
CREATE TRIGGER first_names_update INSTEAD OF UPDATE ON first_names FOR EACH ROW EXECUTE FUNCTION write_names();

-- Functions in definitions.
CREATE TABLE guarded (sku text CHECK (app.is_known(sku)), number integer DEFAULT app.next_number());

-- Partitions and inheritance.
CREATE TABLE events (id integer, at date, kind text) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE places (name text);
CREATE TABLE cities (mayor text) INHERITS (places);

-- Row-level security.
CREATE TABLE members (role name, team integer);
CREATE TABLE documents (id integer, team integer, title text);
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
CREATE POLICY documents_team ON documents USING (team IN (SELECT m.team FROM members m WHERE m.role = current_user));

INSERT INTO stock VALUES ('x', 'here', 1);
INSERT INTO customers (name) VALUES ('x');
INSERT INTO orders (customer_id, total) VALUES (1, 10);
INSERT INTO plain VALUES (1, 'ok', 'y');

CREATE PUBLICATION orders_out FOR TABLE stock;
