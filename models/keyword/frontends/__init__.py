"""From samples to features, as chips compute them."""
