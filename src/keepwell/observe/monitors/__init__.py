"""Monitors: whether what comes from the sources is as it always was."""
