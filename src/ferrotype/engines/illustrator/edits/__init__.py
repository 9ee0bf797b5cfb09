"""Edits of a caller's pictures: real operations on pixels, and words that say which were done."""
