"""English templates of the desk's errors, one module per room; `core.errors.ERRORS` merges them."""
