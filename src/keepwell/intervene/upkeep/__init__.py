"""Upkeep: what of lake and database is needed, by whom and for how long."""
