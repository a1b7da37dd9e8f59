"""What PyPI's `mcp` client makes of quarry: both transports, with a handshake and without. `.ci/mcp` runs it.

    client.py URL COMMAND ARGUMENT..

URL is where `quarry serve` answers over the handbook, the rest starts `quarry mcp` over the same index.
"""

import asyncio
import json
import sys

import jsonschema
from mcp import Client, StdioServerParameters

QUESTION = "How many working days of holiday a year do full-time staff have?"
MODES = ["legacy", "auto", "2026-07-28"]


async def call(client, schemas, tool, **arguments):
    """Calls a tool: what it gives is the same in both forms, and as its schema says."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    assert json.loads(result.content[0].text) == result.structured_content, tool
    jsonschema.Draft202012Validator(schemas[tool]).validate(result.structured_content)
    return result.structured_content


async def speak(server, mode):
    async with Client(server, mode=mode) as client:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["search", "fetch", "search_passages", "list_sources", "similar", "answer"]
        assert all(tool.annotations.read_only_hint for tool in tools)
        for tool in tools:
            for schema in (tool.input_schema, tool.output_schema):
                jsonschema.Draft202012Validator.check_schema(schema)
        schemas = {tool.name: tool.output_schema for tool in tools}
        found = await call(client, schemas, "search", query="how do I get my travel money back")
        fetched = await call(client, schemas, "fetch", id=found["results"][0]["id"])
        assert fetched["url"] == found["results"][0]["url"] and fetched["text"]
        passages = await call(client, schemas, "search_passages", query="travel claims", top=3, filters={"type": ["markdown"]})
        assert len(passages["results"]) == 3 and passages["next"]
        await call(client, schemas, "search_passages", query="travel claims", top=3, filters={"type": ["markdown"]}, cursor=passages["next"])
        assert (await call(client, schemas, "list_sources"))["sources"][0]["name"] == "handbook"
        assert (await call(client, schemas, "similar", id=fetched["id"], top=2))["results"]
        assert (await call(client, schemas, "answer", question=QUESTION))["outcome"] == "answered"
        wrong = await client.call_tool("search", {"query": "a", "top": 3})
        assert wrong.is_error and "unknown field `top`" in wrong.content[0].text, wrong
        resources = (await client.list_resources()).resources
        read = await client.read_resource(resources[0].uri)
        assert read.contents[0].text and len(resources) == 55, len(resources)
        assert (await client.list_resource_templates()).resource_templates[0].uri_template == "quarry://doc/{id}"
        return client.protocol_version


async def main():
    url, command, *arguments = sys.argv[1:]
    for name, server in [("http", url), ("stdio", StdioServerParameters(command=command, args=arguments))]:
        for mode in MODES:
            version = await speak(server, mode)
            print(f"mcp client, {name}, {mode}: good ({version})")


asyncio.run(main())
