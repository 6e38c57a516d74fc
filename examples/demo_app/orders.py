"""The shop's orders, and the function by which the assistant looks them up. A real shop would ask its database."""

import json
from typing import Any

_ORDERS = {
    "B-17": {
        "bicycle": "Kestrel",
        "ordered": "2025-11-03",
        "state": "on its way, expected on Friday",
        "postcode": "8001",
    },
    "B-18": {"bicycle": "Heron", "ordered": "2025-10-20", "state": "in the workshop for assembly", "postcode": "3011"},
    "B-19": {"bicycle": "Wren", "ordered": "2025-09-12", "state": "delivered on 2025-09-16", "postcode": "4051"},
}

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_order",
        "description": "What a customer has ordered, and where it is. Ask the customer for what you do not know.",
        "parameters": {
            "type": "object",
            "properties": {
                "number": {"type": "string", "description": "the number of the order, such as B-17"},
                "postcode": {"type": "string", "description": "of the address that it goes to"},
            },
            "required": ["number", "postcode"],
        },
    },
}


def call(name: str, arguments: str) -> str:
    """What a call of the model's gives: text that goes back to it.

    The arguments are what a model has written, led by whoever talks to it, so they are checked like a form's. That the
    postcode must fit keeps one customer from another's orders: it is asked for here, not in the instructions.
    """
    if name != "get_order":
        return _refusal(f"there is no function {name}")
    try:
        given = json.loads(arguments)
        number, postcode = str(given["number"]).strip().upper(), str(given["postcode"]).strip()
    except (ValueError, KeyError, TypeError):
        return _refusal("number and postcode are needed")
    order = _ORDERS.get(number)
    if order is None or order["postcode"] != postcode:
        return _refusal("there is no order with this number and this postcode")
    return json.dumps({"number": number, **order})


def _refusal(reason: str) -> str:
    return json.dumps({"error": reason})
