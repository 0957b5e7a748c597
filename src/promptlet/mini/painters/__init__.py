"""What families of many kinds are painted with: helpers and one function for each kind."""
