"""The models that can be asked for: the operator's routes, and what the default model server offers."""

from fastapi import APIRouter

from app.deps import BackendsDep
from app.errors import NotFound
from app.routers.pass_through import Authenticated
from app.schemas.models import Model, ModelList

router = APIRouter(prefix="/models", tags=["Models"], dependencies=[Authenticated])


@router.get("")
async def list_models(backends: BackendsDep) -> ModelList:
    """Lists the models."""
    return ModelList(data=[Model.model_validate(model) for model in await backends.list_models()])


@router.get("/{model:path}")
async def retrieve_model(model: str, backends: BackendsDep) -> Model:
    """Gives one model."""
    found = await backends.find_model(model)
    if found is None:
        raise NotFound(f"The model '{model}' does not exist", param="model", code="model_not_found")
    return Model.model_validate(found)
