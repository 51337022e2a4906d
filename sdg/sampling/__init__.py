"""From a plan to files: what to draw, the LightningModule that draws it, the folder that stores it."""
