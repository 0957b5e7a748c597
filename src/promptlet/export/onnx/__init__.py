"""Graphs of ONNX: the image tower of torch's exporter, what stands before and behind it, and its numbers."""
