"""What tasks share whose answers are places in a picture."""
