"""What fewer steps, and fewer questions to the encoder, cost in quality: python -m experiments.few_steps"""
