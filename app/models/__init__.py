"""Tables. Importing this package registers every one of them with `Base.metadata`."""

from app.models.assistant import Assistant
from app.models.message import Message
from app.models.project import ApiKey, Project
from app.models.run import Run
from app.models.run_step import RunStep
from app.models.thread import Thread

__all__ = ["ApiKey", "Assistant", "Message", "Project", "Run", "RunStep", "Thread"]
