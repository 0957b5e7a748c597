"""A client of `promptlet serve`, which needs neither torch nor a model."""

from promptlet.client.answers import Embedding, Prediction, Result
from promptlet.client.client import Client

__all__ = ["Client", "Embedding", "Prediction", "Result"]
