"""The diffusion process in plain PyTorch: schedule, timeline, denoiser, samplers, noise. No CLIP here."""
