"""How latents become symbols: the channels that a probability model is played through."""
