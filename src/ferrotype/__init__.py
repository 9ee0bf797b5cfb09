"""Ferrotype: a self-hosted service for asynchronous image and video generation."""

__version__ = "0.1.0"
