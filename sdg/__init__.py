"""Semantic Diffusion Guidance (arXiv 2112.05744): steer a pretrained unconditional diffusion model."""

__version__ = "0.1.0"
