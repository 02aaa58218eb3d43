UPDATE users SET last_login_at = now() WHERE login = %(login)s AND is_active RETURNING id, full_name, last_login_at;

SELECT id, email, full_name, phone, fax, country_code, created_at FROM customers WHERE email = %(email)s;

SELECT id, state, total, gift_note, placed_at, updated_at FROM orders WHERE customer_id = %(customer)s;

SELECT id, state, changed_by, changed_at FROM order_events WHERE order_id = %(order)s ORDER BY id;

SELECT id, tracking_code, shipped_at, delivered_at FROM shipments WHERE order_id = %(order)s;

SELECT id, method, state, amount, paid_at FROM payments WHERE order_id = %(order)s;

SELECT order_id, quantity FROM order_items WHERE product_id = %(product)s ORDER BY order_id DESC LIMIT 10;
