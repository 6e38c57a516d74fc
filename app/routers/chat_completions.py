"""Chat completions, passed through to the model server that the model is routed to."""

from fastapi import APIRouter, Request, Response

from app.deps import BackendsDep
from app.routers.pass_through import Authenticated, asked_model, pass_through

router = APIRouter(prefix="/chat/completions", tags=["Chat"], dependencies=[Authenticated])


@router.post("")
async def create_chat_completion(request: Request, backends: BackendsDep) -> Response:
    """Answers as the model server does, streamed if `stream` is true."""
    body = await asked_model(request)
    return await pass_through(request, body, "/chat/completions", backends.upstream)
