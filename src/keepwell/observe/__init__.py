"""Observe: the contract, the lake, the tiles and the indicators of a broker's clients."""
