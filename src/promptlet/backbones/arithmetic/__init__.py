"""What both engines compute with: layers as plain data, products, norms, activations."""
