"""Engines deliver sorted tiles to the one window kernel and evaluate indicators on its answers."""
