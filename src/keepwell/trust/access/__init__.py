"""Who may do what, and whose clients they see."""
