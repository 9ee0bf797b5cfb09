"""Forwards tasks to a region of the vendor, or to any server that speaks the same protocol."""
