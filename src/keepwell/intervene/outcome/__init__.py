"""What became of the clients whom the desk decided about, beside what staff say of it."""
