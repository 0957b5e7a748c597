"""What speaks HTTP: connections and their limits, routes, what is read of a body, problems as documents."""
