"""What Promptlet costs: seconds, bytes and floating-point work, beside the plain path. See README.md."""
