"""Other people's methods, of the paper's table: ILVR and StyleGAN+CLIP."""
