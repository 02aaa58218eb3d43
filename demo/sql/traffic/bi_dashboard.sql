SELECT refresh_sales();

SELECT month, country_code, orders, total FROM sales_by_month WHERE month >= %(since)s ORDER BY month;

SELECT n.name, n.currency, count(*) AS customers
FROM countries n
JOIN customers c ON c.country_code = n.code
WHERE c.created_at >= %(since)s
GROUP BY n.code;

SELECT g.name, sum(i.quantity * i.unit_price) AS turnover
FROM order_items i
JOIN products p ON p.id = i.product_id
JOIN categories g ON g.id = p.category_id
WHERE g.parent_id = %(root)s
GROUP BY g.id;

SELECT date_trunc('month', paid_at) AS month, method, sum(amount) AS amount
FROM payments
WHERE state = 'captured' AND paid_at >= %(since)s
GROUP BY 1, 2;
