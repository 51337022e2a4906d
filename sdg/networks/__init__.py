"""Networks as plain nn.Modules, key-compatible with the public checkpoints (which sdg.checkpoints reads)."""
