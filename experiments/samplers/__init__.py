"""How fast each sampler reaches a posterior that is known exactly: python -m experiments.samplers"""
