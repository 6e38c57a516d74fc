"""Chat completions, passed through to the model server that the model is routed to."""

from fastapi import APIRouter, Request, Response

from app.deps import BackendsDep
from app.routers.pass_through import Authenticated, asked_model, described, pass_through

router = APIRouter(prefix="/chat/completions", tags=["Chat"], dependencies=[Authenticated])


_DESCRIBED = described(
    ("application/json", "text/event-stream"),
    messages={"type": "array", "minItems": 1, "items": {"type": "object"}},
)


@router.post("", openapi_extra=_DESCRIBED)
async def create_chat_completion(request: Request, backends: BackendsDep) -> Response:
    """Answers as the model server does, streamed if `stream` is true."""
    body = await asked_model(request)
    return await pass_through(request, body, "/chat/completions", backends.upstream)
