"""What people prefer on their pages: saved views, tips that they closed."""
