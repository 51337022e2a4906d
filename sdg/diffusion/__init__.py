"""The diffusion process in plain PyTorch: schedule, timeline, denoiser, samplers, noise. Knows nothing of guidance."""
