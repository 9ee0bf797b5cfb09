"""Signatures of result files."""
