"""Results that are older than what they depend on: python -m experiments.stale"""
