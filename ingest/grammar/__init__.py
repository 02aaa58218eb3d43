"""Texts of statements become references: what PostgreSQL's own grammar says they name."""
