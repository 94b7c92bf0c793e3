"""Alerts: raised by tiers and rules, deduplicated, snoozed, capped."""
