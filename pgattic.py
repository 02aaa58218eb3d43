"""The command line: puts together each folder's own commands."""
