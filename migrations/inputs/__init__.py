"""Which elements to deprecate: named by hand, by pattern, in a list, by a scan or by a report."""
