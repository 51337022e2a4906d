"""How fast a step is, beside what else computes it: python -m experiments.benchmark"""
