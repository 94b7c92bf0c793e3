"""Alerts, cases, clocks: from a score to the right person in time."""
