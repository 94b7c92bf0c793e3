"""Twins, fixtures and contract suites that packages built on keepwell may use too."""
