"""A whole fit, from JPEGs and nothing cached to a written prompt, beside the way of CoOp's code."""
