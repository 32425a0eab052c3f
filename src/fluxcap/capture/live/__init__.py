"""Inputs that are still being made."""
