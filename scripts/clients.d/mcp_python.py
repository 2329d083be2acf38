"""The official client of the Model Context Protocol for Python, over pipes and over HTTP."""

import asyncio
import os
import subprocess

import httpx2
from checks import check, finish
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

RAG = os.environ["RAG_PROGRAM"]
ARGUMENTS = {
    "search": {"query": "commit point", "k": 2},
    "ask": {"question": "How do I list the models?"},
    "get_passage": {"path": "docs/models.md", "line": 1},
    "list_documents": {"limit": 2},
    "list_indexes": {},
    "ingest": {"dirs": [os.environ["RAG_SERVE_ROOTS"]], "index": "by-a-client"},
}


async def every_tool(session, ingests):
    await session.initialize()
    tools = (await session.list_tools()).tools
    names = {tool.name for tool in tools}
    assert names == set(ARGUMENTS) - (set() if ingests else {"ingest"}), names
    for name in names:
        result = await session.call_tool(name, ARGUMENTS[name])
        assert not result.is_error, (name, result.content)
        assert result.content, name
    if ingests:
        assert "by-a-client" in str((await session.call_tool("list_indexes", {})).content)
    result = await session.call_tool("search", {"query": ""})
    assert result.is_error, result


async def over_pipes():
    server = StdioServerParameters(command=RAG, args=["mcp", "--allow-ingest"], env=dict(os.environ))
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await every_tool(session, ingests=True)


async def over_http():
    headers = {"Authorization": "Bearer " + os.environ["RAG_SERVE_TOKEN"]}
    async with httpx2.AsyncClient(headers=headers) as client:
        url = os.environ["RAG_URL"] + "/mcp"
        async with streamable_http_client(url, http_client=client) as (read, write), ClientSession(read, write) as session:
            await every_tool(session, ingests=False)


if subprocess.run([RAG, "mcp", "--help"], capture_output=True).returncode == 0:
    check("mcp for Python: every tool, over pipes")(lambda: asyncio.run(over_pipes()))
    check("mcp for Python: every tool, over HTTP")(lambda: asyncio.run(over_http()))
else:
    print("skipped mcp: this program does not speak it")

finish()
