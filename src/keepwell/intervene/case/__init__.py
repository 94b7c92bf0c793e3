"""Retention cases from open to recovered, lost or false alarm."""
