"""Imports: product exports, stock figures and exchange rates, from files as they come."""
