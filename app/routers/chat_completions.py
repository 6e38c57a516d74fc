"""Chat completions, passed through to the model server that the model is routed to. Where that model calls no functions
by itself, those that have to do with functions are emulated."""

from fastapi import APIRouter, Request, Response

from app import image_addresses
from app.deps import BackendsDep, SettingsDep
from app.routers import emulated_completions
from app.routers.pass_through import Authenticated, asked_model, described, pass_through
from app.schemas.chat_completions import needs_tools

router = APIRouter(prefix="/chat/completions", tags=["Chat"], dependencies=[Authenticated])


_DESCRIBED = described(
    ("application/json", "text/event-stream"),
    messages={"type": "array", "minItems": 1, "items": {"type": "object"}},
)


@router.post("", openapi_extra=_DESCRIBED)
async def create_chat_completion(request: Request, backends: BackendsDep, settings: SettingsDep) -> Response:
    """Answers as the model server does, streamed if `stream` is true."""
    body = await asked_model(request)
    image_addresses.refuse(settings.image_urls, image_addresses.in_chat(body.get("messages")))
    if needs_tools(body):
        model = await backends.resolve(body["model"])
        if model.tools == "emulated":
            return await emulated_completions.answer(request, model, body)
    return await pass_through(request, body, "/chat/completions", backends.upstream)
