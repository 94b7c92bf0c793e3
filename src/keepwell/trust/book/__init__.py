"""The book: the desk's copy of every client with score, tier and reasons, by generation."""
