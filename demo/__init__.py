"""The demonstration: a believable shop on a throw-away server, and the whole loop run on it."""
