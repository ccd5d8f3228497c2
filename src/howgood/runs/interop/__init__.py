"""Runs for others and from others: files that other programs write and read."""
