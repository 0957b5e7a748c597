"""The answers about projects as /openapi.json describes them. Nothing is checked against them then."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ID = "birds"
IMAGE = "5f0c1a9e3b7d42c8"
STAGES = ("looking", "encoding", "choosing", "training", "estimating", "checking", "saving")


class _Open(BaseModel):
    """What may have further members."""

    model_config = ConfigDict(extra="allow")


class ProjectEntry(BaseModel):
    """A project as lists tell it."""

    id: str = Field(examples=[ID])
    title: str = Field(examples=["Birds"])
    images: int = Field(ge=0)
    classes: int = Field(ge=0)
    unlabelled: int = Field(ge=0)
    trained: bool
    changed: float = Field(description="Seconds since 1970.")


class RemovedProject(BaseModel):
    """One that can be brought back."""

    id: str
    title: str


class ProjectList(BaseModel):
    """All projects, and those that can be brought back."""

    projects: list[ProjectEntry]
    removed: list[RemovedProject]


class ProjectClass(BaseModel):
    """A class and the ids of its images, in the order in which they came."""

    name: str = Field(examples=["robin"])
    images: list[str] = Field(examples=[[IMAGE]])


class ProjectSettings(BaseModel):
    """Of trainings; null leaves it to the library."""

    method: str | None = Field("auto", examples=["auto"])
    rank: int | None = None
    shots: int | None = None
    schedule: str | None = None


class ProjectStep(BaseModel):
    """A change that can be undone, or done again."""

    model_config = ConfigDict(populate_by_name=True)

    action: str = Field(examples=["move-images"])
    count: int = Field(ge=0)
    class_: str | None = Field(alias="class")


class TrainingJob(BaseModel):
    """A training: how far it is, how it ended."""

    id: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    stage: Literal["looking", "encoding", "choosing", "training", "estimating", "checking", "saving"]
    done: int = Field(ge=0)
    total: int = Field(ge=0)
    word: str
    seconds: float = Field(ge=0)
    seconds_left: float | None
    error: str | None
    error_key: str = Field("", description="Of the error, for pages in any language; empty: it has none.")
    error_values: dict[str, Any] = Field(default_factory=dict)


class ProjectBackbone(BaseModel):
    """The model that reads the images. input_size: the pixels of a side that it reads."""

    name: str
    input_size: int = Field(ge=1)


class ProjectState(BaseModel):
    """A project. names: by image, the file as it was dropped. stale: it was changed since it was trained.
    skipped: of a change, what was named and is not there any more."""

    id: str = Field(examples=[ID])
    title: str
    revision: int = Field(ge=1)
    classes: list[ProjectClass]
    unlabelled: list[str]
    names: dict[str, str]
    settings: ProjectSettings
    undo: ProjectStep | None
    redo: ProjectStep | None
    encoded: int = Field(ge=0)
    total: int = Field(ge=0)
    training: TrainingJob | None
    trained: bool
    stale: bool
    backbone: ProjectBackbone
    skipped: list[str] = Field(default_factory=list)


class AddedImage(BaseModel):
    """An image that came."""

    id: str = Field(examples=[IMAGE])
    name: str = Field(examples=["robin.jpg"])


class KnownImage(BaseModel):
    """An image that was there already. class: that it has."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    name: str
    class_: str | None = Field(alias="class")


class RefusedFile(BaseModel):
    """A file that is no image that can be read, and why."""

    name: str
    detail: str
    detail_key: str = Field("", description="Of the detail, for pages in any language; empty: it has none.")
    detail_values: dict[str, Any] = Field(default_factory=dict)


class AddedImages(BaseModel):
    """What became of each file. class: as it is called."""

    model_config = ConfigDict(populate_by_name=True)

    revision: int
    class_: str | None = Field(alias="class")
    added: list[AddedImage]
    known: list[KnownImage]
    errors: list[RefusedFile]


class TrainingResult(_Open):
    """Of the last training; percentages are 0 to 100."""

    trained_at: float
    seconds: float
    method: str
    why: str
    accuracy: dict[str, Any] | None
    advice: list[dict[str, Any]]
    matrix: dict[str, Any] | None
    confused: list[dict[str, Any]]
    suspicious: list[dict[str, Any]]


class PutResult(BaseModel):
    """Whether there is a report: its answers were sent, and right."""

    report: bool


class Suggestions(BaseModel):
    """Classes for images without one, the most doubtful first."""

    suggestions: list[dict[str, Any]]


class NearestImages(BaseModel):
    """The taught images that are most like one."""

    nearest: list[dict[str, Any]]


class PutPrompt(_Open):
    """A prompt file that was put."""

    name: str
    digest: str


MODELS: tuple[type[BaseModel], ...] = (
    ProjectList,
    ProjectState,
    AddedImages,
    TrainingJob,
    TrainingResult,
    PutResult,
    Suggestions,
    NearestImages,
    PutPrompt,
)
