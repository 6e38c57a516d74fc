"""Embeddings, passed through to LOCUM_EMBEDDINGS_URL, or else to the model server that the model is routed to."""

from fastapi import APIRouter, Request, Response

from app.deps import BackendsDep
from app.routers.pass_through import Authenticated, asked_model, described, pass_through

router = APIRouter(prefix="/embeddings", tags=["Embeddings"], dependencies=[Authenticated])


_DESCRIBED = described(("application/json",), input={"type": ["string", "array"]})


@router.post("", openapi_extra=_DESCRIBED)
async def create_embedding(request: Request, backends: BackendsDep) -> Response:
    """Answers as the model server does."""
    body = await asked_model(request)
    return await pass_through(request, body, "/embeddings", backends.embeddings_upstream)
