"""Speech synthesis by VITS (Kim, Kong and Son 2021, arXiv:2106.06103), as Piper trains its voices."""
