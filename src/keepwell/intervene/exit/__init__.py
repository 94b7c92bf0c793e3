"""Exit requests: served in time, whatever the score."""
