"""A client of `promptlet serve`, which needs neither torch nor a model."""
