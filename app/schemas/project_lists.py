"""What Locum lists of a whole project, which OpenAI's API does not: its threads and its runs."""

from pydantic import BaseModel

from app.schemas.threads import Thread


class LastMessage(BaseModel):
    """The newest message of a thread: `text` is the beginning of what it says."""

    id: str
    role: str
    text: str


class LastRun(BaseModel):
    """The newest run of a thread."""

    id: str
    status: str
    assistant_id: str


class ListedThread(Thread):
    """A thread, with what one looks for it by."""

    last_message: LastMessage | None
    last_run: LastRun | None
