"""Records become evidence: which kind of line, which statement, in which session, and how often."""
