"""batchwork: batch processing declared in YAML; the public API."""
