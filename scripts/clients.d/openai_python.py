"""The official OpenAI client for Python."""

import os

import openai
from checks import check, finish

client = openai.OpenAI(base_url=os.environ["RAG_URL"] + "/v1", api_key=os.environ["RAG_SERVE_TOKEN"], max_retries=0)
stranger = openai.OpenAI(base_url=os.environ["RAG_URL"] + "/v1", api_key="somebody-elses-token", max_retries=0)
question = [{"role": "user", "content": "How do I list the models?"}]
EMBEDS = "all-MiniLM-L6-v2"


def refused(kind, call, param=None):
    try:
        call()
    except kind as error:
        assert param is None or error.param == param, error
        return error
    raise AssertionError(f"no {kind.__name__}")


@check("openai for Python: models")
def _():
    names = [model.id for model in client.models.list()]
    assert names == ["rag", "rag:default", EMBEDS], names
    assert client.models.retrieve("rag:default").id == "rag:default"


@check("openai for Python: tools that are not called")
def _():
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    reply = client.chat.completions.create(model="rag", messages=question, tools=tools, tool_choice="auto", stop=["x"])
    assert "rag model list" in reply.choices[0].message.content and not reply.choices[0].message.tool_calls


@check("openai for Python: an answer")
def _():
    reply = client.chat.completions.create(model="rag", messages=question, temperature=0.2, max_tokens=50)
    content = reply.choices[0].message.content
    assert "rag model list" in content and "Sources:" in content, content
    assert reply.choices[0].finish_reason == "stop"
    assert reply.choices[0].message.citations[0]["path"] == "models.md"
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 0


@check("openai for Python: a conversation")
def _():
    first = client.chat.completions.create(model="rag:default", messages=question).choices[0].message
    messages = [*question, first.to_dict(), {"role": "user", "content": "And the conversations?"}]
    reply = client.chat.completions.create(model="rag:default", messages=messages)
    assert "rag sessions list" in reply.choices[0].message.content, reply


@check("openai for Python: a stream")
def _():
    whole = client.chat.completions.create(model="rag", messages=question).choices[0].message.content
    pieces = list(
        client.chat.completions.create(
            model="rag", messages=question, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert text == whole, text
    assert pieces[-1].usage.total_tokens > 0 and not pieces[-1].choices


@check("openai for Python: embeddings")
def _():
    # Without an encoding the client asks for base64.
    packed = client.embeddings.create(model=EMBEDS, input=["an otter", "a boat"])
    plain = client.embeddings.create(model=EMBEDS, input="an otter", encoding_format="float")
    first, second = (one.embedding for one in packed.data)
    assert len(first) == 384 and first != second
    assert max(abs(a - b) for a, b in zip(first, plain.data[0].embedding)) < 1e-7
    assert packed.usage.prompt_tokens > plain.usage.prompt_tokens > 0


@check("openai for Python: refusals")
def _():
    create = client.chat.completions.create
    refused(openai.AuthenticationError, lambda: stranger.models.list())
    refused(openai.NotFoundError, lambda: create(model="gpt-4o", messages=question), "model")
    refused(openai.BadRequestError, lambda: create(model="rag", messages=question, n=2), "n")
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    required = {"tools": tools, "tool_choice": "required"}
    refused(openai.BadRequestError, lambda: create(model="rag", messages=question, **required), "tool_choice")
    refused(openai.NotFoundError, lambda: client.models.retrieve("no-such-model"), "model")
    refused(openai.BadRequestError, lambda: create(model="rag", messages=[]), "messages")
    refused(openai.BadRequestError, lambda: client.embeddings.create(model=EMBEDS, input="a", dimensions=7), "dimensions")


@check("openai for Python: responses, a stream of them, and the next question")
def _():
    first = client.responses.create(model="rag", input="How do I list the models?")
    assert "rag model list" in first.output_text, first
    text = ""
    with client.responses.stream(model="rag", input="How do I list the models?") as stream:
        for event in stream:
            text += event.delta if event.type == "response.output_text.delta" else ""
        assert stream.get_final_response().status == "completed"
    assert text == first.output_text
    second = client.responses.create(model="rag", input="And the conversations?", previous_response_id=first.id)
    assert second.previous_response_id == first.id


@check("openai for Python: a filter by extra_body and by a header; many texts")
def _():
    body = {"filter": "path:**/on-disk.md", "k": 5}
    reply = client.chat.completions.create(model="rag", messages=question, extra_body=body)
    assert all(c["path"] == "on-disk.md" for c in reply.choices[0].message.citations)
    headers = {"X-Rag-Filter": "path:**/models.md"}
    reply = client.chat.completions.create(model="rag", messages=question, extra_headers=headers)
    assert reply.choices[0].message.citations[0]["path"] == "models.md"
    many = client.embeddings.create(model=EMBEDS, input=["an otter"] * 2048)
    assert len(many.data) == 2048


finish()
