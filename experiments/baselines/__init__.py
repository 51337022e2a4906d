"""Other people's methods compared with ours: python -m experiments.baselines"""
