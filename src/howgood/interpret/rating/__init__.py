"""Ratings from comparisons of two: who is better by how much, and how sure that is.

Everything below the reading of a file works on integer codes: `a`, `b` (which models, 0 ... M-1) and `outcome`
(`votes.A`, `votes.B`, `votes.TIE`), one of each a vote.
"""
