"""The built-in label rules, one module each."""
