"""The gate: is an artefact accurate and fast enough?"""
