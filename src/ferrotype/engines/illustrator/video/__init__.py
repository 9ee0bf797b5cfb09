"""Films: drawn scenes in layers, the caller's pictures and clips, particles and sound."""
