"""The answers of the server as /openapi.json describes them. Nothing is checked against them then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

NAME = "pets"
DIGEST = "5f0c1a9e3b7d42c8a6e1f09b8c7d6e5f"


class ProblemDocument(BaseModel):
    """What went wrong, and what to do (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems/unknown-prompt"])
    title: str = Field(examples=["There is no such prompt"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(examples=["there is no prompt 'cats' that you may ask; GET /v1/prompts lists those"])
    request_id: str = ""


class Likely(BaseModel):
    """A class and its probability."""

    class_name: str = Field(examples=["cat"])
    probability: float = Field(ge=0, le=1.000001, examples=[0.98])


class Prediction(BaseModel):
    """What a prompt says of an image. digest: of the prompt file that said it."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(examples=[NAME])
    digest: str = Field(examples=[DIGEST])
    class_name: str | None = Field(description="null: none of the classes.", examples=["cat"])
    top: list[Likely] = Field(description="The likeliest first.")


class PredictionError(BaseModel):
    """Why a prompt says nothing of an image."""

    model_config = ConfigDict(extra="forbid")

    prompt: str
    error: ProblemDocument


class Predicted(BaseModel):
    """Of an image that could be read."""

    model_config = ConfigDict(extra="forbid")

    index: int = Field(ge=0, description="Its place among the images that were sent.")
    name: str = Field(description="As it was sent; empty where it had none.", examples=["cat.jpg"])
    predictions: list[Prediction | PredictionError] = Field(description="One of each prompt, as asked.")


class ImageError(BaseModel):
    """Of an image that could not be read, or not be encoded."""

    model_config = ConfigDict(extra="forbid")

    index: int = Field(ge=0)
    name: str
    error: ProblemDocument


class BackboneFacts(BaseModel):
    """The model that reads the images."""

    model_config = ConfigDict(extra="allow")

    name: str
    fingerprint: str


class Predictions(BaseModel):
    """An answer for each image, in the order sent."""

    model_config = ConfigDict(extra="forbid")

    backbone: BackboneFacts
    results: list[Predicted | ImageError]


class Featured(BaseModel):
    """Of an image that could be read."""

    model_config = ConfigDict(extra="forbid")

    index: int = Field(ge=0)
    name: str
    features: list[float] = Field(description="float32 numbers, together of length 1.")


class Features(BaseModel):
    """The features of each image. model: the backbone's fingerprint; only those of one can be compared."""

    model_config = ConfigDict(extra="forbid")

    model: str
    results: list[Featured | ImageError]


class PromptEntry(BaseModel):
    """A prompt as lists tell it."""

    name: str = Field(examples=[NAME])
    state: Literal["ready", "broken", "being written"]
    reason: str = Field(description="Why it is not served; empty where it is.")
    digest: str = Field(description="Of its file.", examples=[DIGEST])
    method: str = Field(examples=["rlp"])
    classes: int = Field(ge=0, examples=[37])
    bytes: int = Field(ge=0, examples=[2064])
    modified: float = Field(description="Seconds since 1970.")


class PromptList(BaseModel):
    """Prompts by name. count: of all that you may ask; next: to be given as ``after`` for more, or null."""

    model_config = ConfigDict(extra="forbid")

    count: int = Field(ge=0)
    prompts: list[PromptEntry]
    next: str | None


class PromptFacts(BaseModel):
    """What is known of a prompt: the names of its classes, its training and more, where it is served."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(examples=[NAME])
    state: Literal["ready", "broken", "being written"]
    reason: str = Field(description="Why it is not served; empty where it is.")
    digest: str = Field(examples=[DIGEST])


class Vectors(BaseModel):
    """Normalised class features (C, D), float32, in the order of the names."""

    model_config = ConfigDict(extra="forbid")

    prompt: str
    digest: str
    model: str
    class_names: list[str]
    vectors: list[list[float]]


class Alive(BaseModel):
    """The process runs."""

    status: Literal["alive"]


class Ready(BaseModel):
    """Images are encoded. probe_seconds: how long a small one took."""

    status: Literal["ready"]
    probe_seconds: float = Field(ge=0)


class ProblemKind(BaseModel):
    """What a kind of problem means."""

    type: str
    title: str
    status: int
    meaning: str


MODELS: tuple[type[BaseModel], ...] = (
    ProblemDocument,
    Predictions,
    Features,
    PromptList,
    PromptEntry,
    PromptFacts,
    Vectors,
    Alive,
    Ready,
    ProblemKind,
)
_REFERENCE = "#/components/schemas/"


def components(more: Sequence[type[BaseModel]] = ()) -> dict[str, Any]:
    """The schemas by name. more: those of routes that were added."""
    from pydantic.json_schema import models_json_schema

    _, found = models_json_schema(
        [(model, "serialization") for model in (*MODELS, *more)], ref_template=f"{_REFERENCE}{{model}}"
    )
    return dict(found["$defs"])


def reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"{_REFERENCE}{model.__name__}"}
