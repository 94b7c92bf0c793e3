"""Incidents at the desk: who answers for a source is told, and says what is done about it."""
