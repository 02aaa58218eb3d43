"""Questions over the evidence: candidates, usage, coverage, readiness, alerts, reports."""
