"""What fewer steps and fewer calls of the encoder cost in quality: python -m experiments.few_steps"""
