"""What admins see and do: lists, one checkout in full, what is done about it, and the log of that."""
