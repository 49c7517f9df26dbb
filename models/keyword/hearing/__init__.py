"""From a stream of sound to events."""
