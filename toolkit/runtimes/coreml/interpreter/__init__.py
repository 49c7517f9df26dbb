"""A saved Core ML program, computed with torch operator by operator."""
