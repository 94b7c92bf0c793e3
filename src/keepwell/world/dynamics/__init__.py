"""The compiled part of the world: what one day does to one client."""
