"""What the doctor looks at, a file for each place where it looks."""
