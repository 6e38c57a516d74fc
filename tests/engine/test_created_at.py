"""The times that rows of a run are stamped with."""

from app.models import Run
from app.services import run_steps


def test_a_message_is_as_old_as_its_step() -> None:
    """The step is told first, and times are told in whole seconds: one of its own could be of the second before."""
    message, step = run_steps.new_message(Run(id="run_1", thread_id="thread_1", assistant_id="asst_1"), turn=1)
    assert message.created_at == step.created_at
