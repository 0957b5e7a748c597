"""Whose turn it is: what one tenant asks for does not keep the others waiting.

`lines` are those of tenants, who take turns; `room` says how much is accepted, and how a refusal is told.
`batches` has these for items that are prepared and then worked on together, `once` for pieces of work in a
few threads, each made only once for all who ask for it.
"""
