"""Asks a running quarry through the Python clients that other software uses, and says what each answered.

    pip install openai cohere langchain-openai langchain-cohere huggingface_hub numpy
    python web/clients/check.py http://127.0.0.1:7700 [KEY]

The lines that set a client up are those you need in your own program. Reranking needs a server with --reranker,
chats one with --writer.
"""

import importlib.metadata
import sys
import traceback

base = (sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7700").rstrip("/")
key = sys.argv[2] if len(sys.argv) > 2 else "none"  # without keys on the server, any word will do

DOCUMENTS = ["Bicycles are kept behind the house.", "Travel claims are signed by the head of finance.", "Lunch is at noon."]
QUESTION = "who approves my trip expenses"


def best(scores):
    return max(range(len(scores)), key=scores.__getitem__)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def openai_texts():
    from openai import OpenAI

    client = OpenAI(base_url=f"{base}/v1", api_key=key)
    documents = client.embeddings.create(model="quarry", input=DOCUMENTS)
    question = client.embeddings.create(
        model="quarry", input=QUESTION, encoding_format="float", extra_body={"input_type": "query"}
    ).data[0].embedding
    cut = client.embeddings.create(model="quarry", input=QUESTION, dimensions=64).data[0].embedding
    assert len(cut) == 64
    assert best([dot(question, entry.embedding) for entry in documents.data]) == 1
    return f"{len(question)} values, {documents.usage.total_tokens} tokens"


def openai_tokens():
    from openai import OpenAI

    client = OpenAI(base_url=f"{base}/v1", api_key=key)
    # Ids of the model's own tokenizer (tokenizer.json beside its weights), never of tiktoken.
    one = client.embeddings.create(model="quarry", input=[101, 102, 103]).data[0].embedding
    two = client.embeddings.create(model="quarry", input=[[101, 102, 103], [104]]).data
    assert dot(one, two[0].embedding) > 0.999 and len(two) == 2
    return "one list and a list of lists"


def openai_chats():
    from openai import BadRequestError, OpenAI

    client = OpenAI(base_url=f"{base}/v1", api_key=key)
    chat = dict(model="quarry", messages=[{"role": "user", "content": QUESTION}], max_tokens=20, temperature=1, seed=1)
    whole = client.chat.completions.create(**chat)
    pieces = list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **chat))
    streamed = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert streamed == whole.choices[0].message.content and pieces[-1].usage.total_tokens == whole.usage.total_tokens
    try:
        client.chat.completions.create(n=2, **chat)
        raise AssertionError("n=2 was taken")
    except BadRequestError as error:
        assert "n: expected 1" in error.message and error.code == "bad-request"
    return f"{whole.usage.completion_tokens} tokens, {whole.choices[0].finish_reason}"


def langchain_chats():
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(base_url=f"{base}/v1", api_key=key, model="quarry", max_tokens=20)
    answer = model.invoke([("system", "Be brief."), ("user", QUESTION)])
    assert answer.usage_metadata["output_tokens"] > 0
    assert sum(1 for _ in model.stream(QUESTION)) > 0
    return answer.response_metadata["finish_reason"]


def langchain_openai():
    from langchain_openai import OpenAIEmbeddings

    # Without check_embedding_ctx_length=False it would send tokens of OpenAI's tokenizer, which mean something else here.
    embeddings = OpenAIEmbeddings(base_url=f"{base}/v1", api_key=key, model="quarry", check_embedding_ctx_length=False)
    documents = embeddings.embed_documents(DOCUMENTS)
    question = embeddings.embed_query(QUESTION)
    assert best([dot(question, document) for document in documents]) == 1
    return f"{len(documents)} documents of {len(question)} values"


def cohere_rerank():
    import cohere

    client = cohere.ClientV2(api_key=key, base_url=base)
    answer = client.rerank(model="quarry", query=QUESTION, documents=DOCUMENTS, top_n=2)
    assert len(answer.results) == 2 and answer.results[0].relevance_score >= answer.results[1].relevance_score
    first = cohere.Client(api_key=key, base_url=base).rerank(model="quarry", query=QUESTION, documents=DOCUMENTS)
    assert [hit.index for hit in first.results][:2] == [hit.index for hit in answer.results]
    return f"best: {answer.results[0].index} ({answer.results[0].relevance_score:.3f}), versions 1 and 2 agree"


def langchain_cohere():
    import cohere
    from langchain_cohere import CohereRerank
    from langchain_core.documents import Document

    # Its own client would ask api.cohere.com for the names of models first.
    client = cohere.ClientV2(api_key=key, base_url=base)
    compressor = CohereRerank(client=client, model="quarry", top_n=2)
    kept = compressor.compress_documents([Document(page_content=text) for text in DOCUMENTS], QUESTION)
    assert len(kept) == 2 and kept[0].metadata["relevance_score"] >= kept[1].metadata["relevance_score"]
    return f"kept {len(kept)}"


def hugging_face():
    from huggingface_hub import InferenceClient

    client = InferenceClient(model=f"{base}/embed", token=key)
    vectors = client.feature_extraction(DOCUMENTS)
    assert len(vectors) == len(DOCUMENTS)
    return f"{len(vectors)} vectors of {len(vectors[0])}"


CLIENTS = {
    "openai": [openai_texts, openai_tokens, openai_chats],
    "langchain-openai": [langchain_openai, langchain_chats],
    "cohere": [cohere_rerank],
    "langchain-cohere": [langchain_cohere],
    "huggingface_hub": [hugging_face],
}

failed = 0
for package, checks in CLIENTS.items():
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        print(f"{package}: not installed")
        continue
    for check in checks:
        try:
            print(f"{package} {version}, {check.__name__}: {check()}")
        except Exception:
            failed += 1
            print(f"{package} {version}, {check.__name__}: FAILED")
            traceback.print_exc(limit=3)
sys.exit(failed)
