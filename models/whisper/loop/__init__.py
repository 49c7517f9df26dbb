"""From sound to text, step by step; no part of a network. Imports only packages of the `run` extra."""
