"""The clients of Azure's agents: `azure-ai-agents` of PyPI here, `@azure/ai-agents` of npm in tests/sdk."""
