"""Recommenders: what a person may like next, from what that person has liked."""
