"""What a client is worth, what was kept of it, and what keeping may cost.

A library of figures: it reads the lake and arrays and changes nothing. No price, and nothing of
selling, withdrawing, transferring, closing or complaining, is decided by any of it.
"""
