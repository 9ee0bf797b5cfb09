"""Brings callers' files in: a guarded way to the network, and a media process that opens them."""
