"""Suitability: the rules as dated data, and what they say about a client and a product."""
