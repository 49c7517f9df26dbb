"""Networks on proteins: residues as nodes of a graph, their neighbours in space as its edges."""
