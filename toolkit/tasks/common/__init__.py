"""Readers of sounds and pictures, shared by several tasks."""
