"""What models are built from; knows tensors and the platform alone."""
