"""The vectors of an index for other programs: FAISS, Qdrant, PostgreSQL with pgvector, plain arrays.

Each file here writes one of them; all take an index as it is stored, and appear whole or not at all.
"""
