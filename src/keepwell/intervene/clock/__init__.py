"""Clocks: promises of time on business calendars."""
