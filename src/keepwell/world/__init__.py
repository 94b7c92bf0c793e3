"""A simulated brokerage with known truth: to show, to load-test, to check estimators, to rehearse.

Nothing in `observe` or `warn` imports this room, and the truth it writes is never read by them.
"""
