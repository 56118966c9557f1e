"""Training: a variant, a preset and data in; a run's folder with a model folder in it out."""
