CREATE TYPE colour AS ENUM ('red');
CREATE TABLE orders (id int PRIMARY KEY, legacy text, total int CONSTRAINT total_check CHECK (total > 0));
CREATE INDEX orders_total_idx ON orders (total);
CREATE TABLE users_old (id serial PRIMARY KEY, name text, score numeric(10, 2), seen timestamptz, extra jsonb);
INSERT INTO users_old (name, score, seen, extra)
SELECT 'user ' || g, g / 7.0, now() - g * interval '1 hour', jsonb_build_object('n', g) FROM generate_series(1, 500) g;
COMMENT ON TABLE users_old IS 'it''s old';
CREATE TABLE "Mixed ""Case""" (id int);
