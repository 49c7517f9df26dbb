"""Policies: networks that steer a robot, from what its sensors say to what its motors do."""
