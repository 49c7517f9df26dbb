"""What `package` makes of bundles for Android."""
