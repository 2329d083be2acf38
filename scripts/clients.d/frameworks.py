"""Clients written for Ollama or OpenAI: Ollama's own, LangChain, LlamaIndex, LiteLLM, llm, Cohere."""

import json
import os
import subprocess
import sys
import tempfile

from checks import check, finish

# LiteLLM would fetch a list of prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
URL, TOKEN = os.environ["RAG_URL"], os.environ["RAG_SERVE_TOKEN"]
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
QUESTION, SAYS = "How do I list the models?", "rag model list"
MESSAGES = [{"role": "user", "content": QUESTION}]
EMBEDS = "all-MiniLM-L6-v2"


def refused(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


@check("ollama for Python: models, an answer, a stream, embeddings, a refusal")
def _():
    import ollama

    client = ollama.Client(host=URL, headers=HEADERS)
    assert [model.model for model in client.list().models][:2] == ["rag:latest", "rag:default"]
    assert client.show("rag").capabilities == ["completion"]
    whole = client.chat("rag", messages=MESSAGES).message.content
    assert SAYS in whole, whole
    pieces = [piece.message.content for piece in client.chat("rag:default", messages=MESSAGES, stream=True)]
    assert "".join(pieces) == whole
    assert SAYS in client.generate("rag", QUESTION, options={"temperature": 0}).response
    vectors = client.embed(EMBEDS, ["an otter", "a boat"]).embeddings
    assert len(vectors) == 2 and len(vectors[0]) == 384
    error = refused(ollama.ResponseError, lambda: client.chat("llama3", messages=MESSAGES))
    assert error.status_code == 404 and error.error == "model 'llama3' not found", error
    refused(ollama.ResponseError, lambda: ollama.Client(host=URL).list())


@check("LangChain: ChatOpenAI with a filter, ChatOllama, embeddings of both")
def _():
    from langchain_ollama import ChatOllama, OllamaEmbeddings
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    chat = ChatOpenAI(base_url=f"{URL}/v1", api_key=TOKEN, model="rag", extra_body={"filter": "path:**/models.md"})
    assert SAYS in chat.invoke(QUESTION).content
    assert SAYS in "".join(piece.content for piece in chat.stream(QUESTION))
    responses = ChatOpenAI(base_url=f"{URL}/v1", api_key=TOKEN, model="rag", use_responses_api=True)
    assert SAYS in responses.invoke(QUESTION).text
    embeds = OpenAIEmbeddings(base_url=f"{URL}/v1", api_key=TOKEN, model=EMBEDS, check_embedding_ctx_length=False)
    local = ChatOllama(base_url=URL, model="rag", client_kwargs={"headers": HEADERS})
    assert SAYS in local.invoke(QUESTION).content
    both = OllamaEmbeddings(base_url=URL, model=EMBEDS, client_kwargs={"headers": HEADERS})
    texts = ["an otter", "a boat"]
    pairs = zip(sum(embeds.embed_documents(texts), []), sum(both.embed_documents(texts), []))
    assert all(abs(a - b) < 1e-6 for a, b in pairs)


@check("LlamaIndex: OpenAILike, embeddings, Ollama")
def _():
    from llama_index.core.llms import ChatMessage
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding
    from llama_index.llms.ollama import Ollama
    from llama_index.llms.openai_like import OpenAILike

    like = OpenAILike(api_base=f"{URL}/v1", api_key=TOKEN, model="rag", is_chat_model=True)
    assert SAYS in like.chat([ChatMessage(role="user", content=QUESTION)]).message.content
    *_, last = like.stream_complete(QUESTION)
    assert SAYS in last.text
    embeds = OpenAILikeEmbedding(api_base=f"{URL}/v1", api_key=TOKEN, model_name=EMBEDS)
    assert len(embeds.get_text_embedding("an otter")) == 384
    from ollama import Client

    local = Ollama(base_url=URL, model="rag", client=Client(host=URL, headers=HEADERS), context_window=4096)
    assert SAYS in local.chat([ChatMessage(role="user", content=QUESTION)]).message.content


@check("LiteLLM: both dialects, embeddings, a rerank")
def _():
    import litellm

    litellm.suppress_debug_info = True
    own = {"api_base": f"{URL}/v1", "api_key": TOKEN}
    reply = litellm.completion("openai/rag", messages=MESSAGES, extra_headers={"X-Rag-K": "5"}, **own)
    assert SAYS in reply.choices[0].message.content
    stream = litellm.completion("openai/rag", messages=MESSAGES, stream=True, **own)
    assert SAYS in "".join(piece.choices[0].delta.content or "" for piece in stream)
    reply = litellm.completion("ollama_chat/rag", messages=MESSAGES, api_base=URL, api_key=TOKEN)
    assert SAYS in reply.choices[0].message.content
    found = litellm.embedding(f"openai/{EMBEDS}", input=["an otter"], encoding_format="float", **own)
    assert len(found.data[0]["embedding"]) == 384
    documents = ["a boat", "an otter"]
    ranked = litellm.rerank(f"cohere/{EMBEDS}", query="animals", documents=documents, api_base=f"{URL}/v1/rerank", api_key=TOKEN)
    assert ranked.results[0]["index"] == 1, ranked


@check("Cohere for Python: a rerank")
def _():
    import cohere

    client = cohere.ClientV2(api_key=TOKEN, base_url=URL)
    ranked = client.rerank(model=EMBEDS, query="animals", documents=["a boat", "an otter"], top_n=1)
    assert [result.index for result in ranked.results] == [1]


@check("llm: an answer by an OpenAI-compatible model")
def _():
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/extra-openai-models.yaml", "w") as file:
            model = {"model_id": "docs", "model_name": "rag", "api_base": f"{URL}/v1", "api_key_name": "docs"}
            json.dump([model], file)
        program = os.path.join(os.path.dirname(sys.executable), "llm")
        command = [program, "-m", "docs", "--key", TOKEN, "--no-log", QUESTION]
        done = subprocess.run(command, env={**os.environ, "LLM_USER_PATH": folder}, capture_output=True, text=True)
        assert done.returncode == 0 and SAYS in done.stdout, done


def post(path, body):
    import httpx

    reply = httpx.post(URL + path, json=body, headers=HEADERS, timeout=60)
    reply.raise_for_status()
    return reply


@check("the requests of Open WebUI: models, a chat with its options, a title")
def _():
    import httpx

    for path in ["/api/version", "/api/tags", "/api/ps", "/v1/models"]:
        httpx.get(URL + path, headers=HEADERS).raise_for_status()
    options = {"temperature": 0.8, "num_ctx": 2048, "stop": ["x"]}
    body = {"model": "rag:latest", "messages": MESSAGES, "stream": True, "options": options, "keep_alive": "5m", "tools": []}
    lines = [json.loads(line) for line in post("/api/chat", body).text.splitlines()]
    assert SAYS in "".join(line["message"]["content"] for line in lines) and lines[-1]["done"]
    task = {"model": "rag:latest", "messages": [{"role": "user", "content": "### Task:\nGenerate a title"}], "stream": False}
    assert post("/api/chat", {**task, "max_completion_tokens": 1000}).json()["done"]


@check("the requests of Continue: a chat with a system prompt and a context, embeddings")
def _():
    system = {"role": "system", "content": "You are an agent."}
    content = f"```md\nsome code\n```\n{QUESTION}"
    options = {"num_predict": 4096, "num_ctx": 8192, "mirostat": None}
    body = {"model": "rag", "messages": [system, {"role": "user", "content": content}], "raw": False, "stream": True, "options": options, "keep_alive": 1800}
    lines = [json.loads(line) for line in post("/api/chat", body).text.splitlines()]
    assert lines[-1]["done"], lines
    assert len(post("/api/embed", {"model": EMBEDS, "input": ["a", "b"]}).json()["embeddings"]) == 2
    assert post("/api/show", {"name": "rag"}).json()["capabilities"] == ["completion"]


finish()
