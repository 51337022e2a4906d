"""What a second process adds: python -m experiments.scaling"""
