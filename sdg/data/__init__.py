"""Datasets and their Lightning data modules."""
