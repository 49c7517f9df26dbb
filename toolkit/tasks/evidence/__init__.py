"""Real samples that travel with edgekit: photographs, speech and texts, by which models are calibrated and judged.

Each set has two halves, ``data/KIND/first`` and ``data/KIND/second``: the first calibrates, the second is judged. No
photograph, recording or text is in both, and what the golden inputs show is in the first. ``data/evidence-origin.txt``
says where everything comes from.
"""
