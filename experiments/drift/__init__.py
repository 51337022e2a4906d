"""Ways of guiding by words, and what else they move: python -m experiments.drift"""
