"""Bytes of log files, in any of PostgreSQL's formats, become records."""
