"""How like the source's facts, and real data, a world is."""
