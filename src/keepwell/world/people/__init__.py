"""Who the clients of a world are, their households, and the staff who serve them."""
