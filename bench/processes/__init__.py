"""Fresh processes that measure, and the doubts about what they saw."""
