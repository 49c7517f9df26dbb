"""Weights rounded by their inputs, in the types of llama.cpp: GPTQ on the grids of its blocks, and a type a matrix.

llama.cpp's quantizer rounds each weight to nearest, with scales by an importance matrix: the diagonal of the Hessian
X^T X of a matrix's inputs. Here the whole Hessian decides (`inputs.py`, `matrices.py`), and which matrix gets how many
bits is chosen by what it loses (`allocation.py`), within the bytes of llama.cpp's own choice (`files.py`).
"""
