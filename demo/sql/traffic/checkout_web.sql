SELECT id, name FROM categories WHERE parent_id = %(root)s ORDER BY name;

SELECT id, sku, name, price FROM products WHERE category_id = %(category)s AND is_listed ORDER BY price LIMIT 20;

SELECT sku, name, quantity, is_short FROM product_stock WHERE id = %(product)s;

SELECT r.id, r.stars, r.body, r.written_at, c.full_name
FROM reviews r
JOIN customers c ON c.id = r.customer_id
WHERE r.product_id = %(product)s;

SELECT id, street, city, postcode, country_code FROM addresses WHERE customer_id = %(customer)s;

WITH placed AS (
    INSERT INTO orders (customer_id, address_id, total, gift_note)
    VALUES (%(customer)s, %(customer)s, %(amount)s, %(note)s)
    RETURNING id
)
INSERT INTO order_items (order_id, line, product_id, quantity, unit_price)
SELECT id, 1, %(product)s, %(quantity)s, %(amount)s FROM placed;

INSERT INTO payments (order_id, method, state, amount)
SELECT max(id), 'card', 'captured', %(amount)s FROM orders WHERE customer_id = %(customer)s;

UPDATE orders SET state = 'paid', updated_at = now() WHERE customer_id = %(customer)s AND state = 'placed';

INSERT INTO reviews (product_id, customer_id, stars, body) VALUES (%(product)s, %(customer)s, %(stars)s, %(note)s);
