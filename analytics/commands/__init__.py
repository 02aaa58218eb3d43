"""The commands that answer questions: one file each."""
