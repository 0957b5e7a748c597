"""What runs exported graphs: onnxruntime, OpenVINO and torch, each asked in the same way."""
