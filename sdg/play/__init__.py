"""Guidance in a browser: a page over the studio, and nothing below it."""
