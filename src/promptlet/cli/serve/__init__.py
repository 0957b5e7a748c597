"""`promptlet serve`, its settings and what is said at its start, and `promptlet serve-token`."""
