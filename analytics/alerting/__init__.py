"""Alerts in parts: which uses alarm, what was said already, who is told, and whether they were."""
