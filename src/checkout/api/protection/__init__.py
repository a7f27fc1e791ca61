"""What keeps one buyer from taking more than his share: how often he may ask, and how much he may hold at once."""
