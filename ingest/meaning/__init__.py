"""References become uses of elements: what names meant at a moment, and what follows from that."""
