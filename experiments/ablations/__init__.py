"""One design choice at a time: python -m experiments.ablations"""
