"""A year of the loop in a simulated broker, beside rivals and the truth."""
