"""What clients agreed to and refused."""
