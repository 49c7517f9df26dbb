"""Chromium on this machine, as the device of web pages."""
