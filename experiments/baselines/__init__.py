"""Other people's methods beside ours: python -m experiments.baselines"""
