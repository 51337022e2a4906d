"""Trying a prior by others: what it predicts, in whose units, and what it draws."""
