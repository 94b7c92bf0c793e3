"""Contacts with a client, and whether one may be made."""
