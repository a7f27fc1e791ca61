"""Registers workflows and activities, and nothing else."""
