"""Models, as `GET /v1/models` shows them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A name that can be asked for."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(BaseModel):
    """All of them; this list has no pages."""

    object: Literal["list"] = "list"
    data: list[Model]
