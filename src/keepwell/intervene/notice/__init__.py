"""Notices to staff inside the product."""
