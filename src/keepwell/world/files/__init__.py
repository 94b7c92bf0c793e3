"""A world as files: the tables of the contract by day, and the truth beside them."""
