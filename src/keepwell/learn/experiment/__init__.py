"""Experiments: who gets which arm, what it changed, and when to stop. Pure maths, no database."""
