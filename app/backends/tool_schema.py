"""The JSON schema of an answer that either calls functions or speaks."""

from typing import Any

#: Constrained decoding has little use for them, and llama.cpp refuses many a pattern and format.
_DROPPED = frozenset({"$schema", "$id", "title", "description", "default", "examples", "pattern", "format"})
_MAPS = frozenset({"properties", "$defs", "definitions", "patternProperties"})
_MAX_CALLS = 8

Function = dict[str, Any]


def answer_schema(functions: list[Function], answer: dict[str, Any] | None, *, parallel: bool) -> dict[str, Any]:
    """The schema of `{"tool_calls": [{"name", "arguments"}]}` or, unless `answer` is None, `{"answer": <answer>}`."""
    definitions: dict[str, Any] = {}
    calls = [_call_schema(function, definitions) for function in functions]
    one = calls[0] if len(calls) == 1 else {"anyOf": calls}
    several = {"type": "array", "items": one, "minItems": 1, "maxItems": _MAX_CALLS if parallel else 1}
    branches = [_object({"tool_calls": several})]
    if answer is not None:
        branches.append(_object({"answer": answer}))
    schema = branches[0] if len(branches) == 1 else {"anyOf": branches}
    return {**schema, "$defs": definitions} if definitions else schema


def _call_schema(function: Function, definitions: dict[str, Any]) -> dict[str, Any]:
    name = function["name"]
    parameters = function.get("parameters") or {"type": "object", "properties": {}}
    arguments = _structure(parameters, name)
    for keyword in ("$defs", "definitions"):
        for key, schema in arguments.pop(keyword, {}).items():
            definitions[f"{name}.{key}"] = schema
    arguments.setdefault("additionalProperties", False)
    if _refers_to(arguments, f"#/$defs/{name}"):
        definitions[name] = arguments
        arguments = {"$ref": f"#/$defs/{name}"}
    return _object({"name": {"const": name}, "arguments": arguments})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _structure(schema: Any, name: str) -> Any:
    """`schema` without what does not shape the JSON, its references made to fit the place it gets (`_call_schema`)."""
    if isinstance(schema, list):
        return [_structure(item, name) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            kept[key] = {property_: _structure(inner, name) for property_, inner in value.items()}
        elif key in ("enum", "const", "required"):
            kept[key] = value
        elif key == "$ref" and isinstance(value, str):
            kept[key] = _moved(value, name)
        elif key not in _DROPPED:
            kept[key] = _structure(value, name)
    return kept


def _moved(reference: str, name: str) -> str:
    if reference == "#":
        return f"#/$defs/{name}"
    for prefix in ("#/$defs/", "#/definitions/"):
        if reference.startswith(prefix):
            return f"#/$defs/{name}.{reference.removeprefix(prefix)}"
    return reference


def _refers_to(schema: Any, reference: str) -> bool:
    if isinstance(schema, list):
        return any(_refers_to(item, reference) for item in schema)
    if not isinstance(schema, dict):
        return False
    return schema.get("$ref") == reference or any(_refers_to(value, reference) for value in schema.values())
