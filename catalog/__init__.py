"""The vocabulary and the ground truth: elements, names, settings, the database and its catalog."""
