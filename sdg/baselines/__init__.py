"""Other methods: ILVR and StyleGAN+CLIP (in the paper's table), CLIP on x̂_0."""
