SELECT id, placed_at, state, total, full_name, street, postcode, city, country_code
FROM open_orders
ORDER BY placed_at
LIMIT 5;

SELECT i.line, i.quantity, i.unit_price, p.sku
FROM order_items i
JOIN products p ON p.id = i.product_id
WHERE i.order_id = %(order)s;

UPDATE inventory SET quantity = quantity - %(quantity)s WHERE product_id = %(product)s AND warehouse_id = %(warehouse)s;

INSERT INTO shipments (order_id, warehouse_id, tracking_code) VALUES (%(order)s, %(warehouse)s, %(tracking)s);

UPDATE orders SET state = 'shipped', updated_at = now() WHERE id = %(order)s;

UPDATE shipments SET delivered_at = now() WHERE order_id = %(order)s AND delivered_at IS NULL;

SELECT i.product_id, i.quantity, i.reorder_at, w.name, w.city
FROM inventory i
JOIN warehouses w ON w.id = i.warehouse_id
WHERE i.warehouse_id = %(warehouse)s AND i.quantity < i.reorder_at;

SELECT s.id, s.name, s.email, s.country_code
FROM suppliers s
JOIN products p ON p.supplier_id = s.id
WHERE p.id = %(product)s;
