"""Tools of other services, by the `type` that their clients send: what to say of them where they are refused."""

from collections.abc import Mapping
from typing import Final

#: Azure's (azure-ai-agents up to 1.2.0b6), and those of OpenAI's Responses API.
FOREIGN_TOOLS: Final[Mapping[str, str]] = {
    "azure_ai_search": "Azure AI Search",
    "azure_function": "Azure Functions (Logic Apps too)",
    "bing_custom_search": "Grounding with Bing Custom Search",
    "bing_grounding": "Grounding with Bing Search",
    "browser_automation": "browser automation",
    "computer_use_preview": "computer use",
    "connected_agent": "connected agents",
    "deep_research": "deep research",
    "fabric_dataagent": "Microsoft Fabric",
    "image_generation": "image generation",
    "mcp": "MCP servers",
    "openapi": "calls of APIs that are described by OpenAPI",
    "sharepoint_grounding": "SharePoint",
    "web_search": "web search",
    "web_search_preview": "web search",
}
