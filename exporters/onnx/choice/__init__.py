"""Which form and how many bits each product of matrices gets: trials of one alone, within a time, within bytes."""
