"""What adapters must offer. Protocols only: an adapter inherits nothing."""
