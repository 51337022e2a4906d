"""How fast a step is, compared with other implementations: python -m experiments.benchmark"""
