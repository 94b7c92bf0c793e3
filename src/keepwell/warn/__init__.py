"""Who is about to leave, how sure we are, and why: label, model, score, tier, reason.

A library without a web framework: a data scientist can use it alone.
"""
