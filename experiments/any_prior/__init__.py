"""One encoder guides priors of every schedule: python -m experiments.any_prior"""
