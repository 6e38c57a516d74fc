"""Code that is run in a sandbox: a table read, a chart drawn, a workbook written, variables that stay."""

import io
import struct
import zipfile
import zlib
from typing import Any

from openai import AssistantEventHandler

from tests.sdk.python_client.bench import Bench, Json, Scenario, equal

TABLE = "region,sales\nNorth,30\nSouth,12\n"
READ = (
    "import pandas as pd\ntable = pd.read_csv('/mnt/data/sales.csv')\ntotal = int(table['sales'].sum())\nprint(total)"
)
DRAW = "import matplotlib.pyplot as plt\nplt.bar(table['region'], table['sales'])\nplt.show()"
WRITE = "table.to_excel('/mnt/data/sales.xlsx', index=False)"
LINK = "sandbox:/mnt/data/sales.xlsx"


def _calls(*codes: str) -> Json:
    return {"tool_calls": [{"name": "code_interpreter", "arguments": {"code": code}} for code in codes]}


class CodeRecorder(AssistantEventHandler):
    """Puts together what is run and what comes of it, by the id of the call.

    The client tells of a call as created whenever its pieces begin to come again: of several calls in one step first
    what is run, then what comes of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pieces: dict[str, str] = {}
        self.done: dict[str, Any] = {}
        self.charts: list[str] = []

    def on_tool_call_created(self, tool_call: Any) -> None:
        self.pieces.setdefault(tool_call.id, tool_call.code_interpreter.input)

    def on_tool_call_delta(self, delta: Any, snapshot: Any) -> None:
        self.pieces[snapshot.id] += delta.code_interpreter.input or ""

    def on_tool_call_done(self, tool_call: Any) -> None:
        self.done[tool_call.id] = tool_call.code_interpreter

    def on_image_file_done(self, image_file: Any) -> None:
        self.charts.append(image_file.file_id)

    @property
    def calls(self) -> list[Any]:
        """The calls as they were in the end, in the order of their beginnings."""
        equal(list(self.pieces.values()), [self.done[call_id].input for call_id in self.pieces])
        return [self.done[call_id] for call_id in self.pieces]


def a_table_becomes_a_chart_and_a_workbook(bench: Bench) -> None:
    client = bench.client
    table = client.files.create(file=("sales.csv", io.BytesIO(TABLE.encode())), purpose="assistants")
    answer = {"text": ["The chart, and [the ", f"workbook]({LINK[:9]}", LINK[9:], ")."]}
    model = bench.model(_calls(READ, DRAW, WRITE), answer)
    code: Any = {"type": "code_interpreter"}
    assistant = client.beta.assistants.create(model=model, tools=[code])
    attached: Any = [{"file_id": table.id, "tools": [code]}]
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": "Draw my sales.", "attachments": attached}]
    )
    recorder = CodeRecorder()
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=recorder
    ) as stream:
        message: Any = stream.get_final_messages()[0]
    equal([call.input for call in recorder.calls], [READ, DRAW, WRITE])
    read, draw, _ = [call.outputs for call in recorder.calls]
    equal([(output.type, output.logs) for output in read], [("logs", "42\n")])
    (image,) = [output.image.file_id for output in draw if output.type == "image"]
    chart, text = message.content
    equal((recorder.charts, chart.image_file.file_id), ([image], image))
    _opens_as_png(client.files.content(image).read())
    (link,) = text.text.annotations
    equal((link.type, link.text, text.text.value[link.start_index : link.end_index]), ("file_path", LINK, LINK))
    workbook = client.files.content(link.file_path.file_id).read()
    with zipfile.ZipFile(io.BytesIO(workbook)) as parts:
        assert b"<v>30</v>" in parts.read("xl/worksheets/sheet1.xml")
    stored = next(iter(client.beta.threads.messages.list(thread.id)))
    equal(stored.content, message.content)


def variables_stay_from_run_to_run(bench: Bench) -> None:
    client = bench.client
    model = bench.model(_calls("kept = 20"), {"text": "Kept."}, _calls("print(kept + 1)"), {"text": "21."})
    assistant_id, thread_id = bench.ready(model, tools=[{"type": "code_interpreter"}])
    runs = client.beta.threads.runs
    equal(runs.create_and_poll(thread_id=thread_id, assistant_id=assistant_id, poll_interval_ms=50).status, "completed")
    recorder = CodeRecorder()
    with runs.stream(thread_id=thread_id, assistant_id=assistant_id, event_handler=recorder) as stream:
        stream.until_done()
    (streamed,) = recorder.calls
    steps: Any = runs.steps.list(stream.get_final_run().id, thread_id=thread_id, order="asc").data
    (call,) = steps[0].step_details.tool_calls
    equal([(output.type, output.logs) for output in call.code_interpreter.outputs], [("logs", "21\n")])
    equal((streamed.input, streamed.outputs[0].logs), ("print(kept + 1)", "21\n"))


def _opens_as_png(data: bytes) -> None:
    """Takes a PNG apart as its readers do: chunk by chunk with their checksums, and the pixels unpacked."""
    equal(data[:8], b"\x89PNG\r\n\x1a\n")
    at, pixels, width = 8, b"", 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        equal(struct.unpack_from(">I", data, at + 8 + length)[0], zlib.crc32(kind + body))
        if kind == b"IHDR":
            (width,) = struct.unpack_from(">I", body)
        pixels += body if kind == b"IDAT" else b""
        at += 12 + length
    assert width > 100
    assert len(zlib.decompress(pixels)) > width


SCENARIOS: list[Scenario] = [a_table_becomes_a_chart_and_a_workbook, variables_stay_from_run_to_run]
