"""Rules that warn at once, from events."""
