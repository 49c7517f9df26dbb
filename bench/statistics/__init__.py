"""Statistics of repeated and paired measurements, in pure Python.

`compare` and `report` need Student's quantile and the interval of a ratio, and work without any extra. Of the rest
SciPy has the bound of a proportion (25 lines), for 35 MB in the extra that runs a bundle; it has neither Tango's
interval nor those of nested repetitions.
"""
