"""Scripts: what staff say or write to a client, filled with the client's facts, and its checker."""
