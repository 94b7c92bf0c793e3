"""What became of clients, as the label says once it is known; never what staff typed."""
