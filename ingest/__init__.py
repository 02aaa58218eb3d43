"""From PostgreSQL's logs to evidence tables: read, understand, resolve, store."""
