"""NSynth's WaveNet autoencoder (Engel et al. 2017): the weights that Magenta publishes, as a model of Betwixt."""
