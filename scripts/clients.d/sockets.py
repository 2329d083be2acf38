"""WebSockets: the client `websockets`, the time of a known answer on each way, and the memory of idle sockets."""

import asyncio
import http.client
import itertools
import json
import os
import socket
import time
from urllib.parse import urlsplit

import websockets
from checks import check, finish

URL, TOKEN = os.environ["RAG_URL"], os.environ["RAG_SERVE_TOKEN"]
HOST = urlsplit(URL).netloc
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
QUESTION = "How do I list the models?"
ROUNDS, WARM, SOCKETS = 600, 20, int(os.environ.get("RAG_CLIENTS_SOCKETS", "1000"))


def connect():
    return websockets.connect(f"ws://{HOST}/ws", additional_headers=HEADERS)


async def until_done(ws, ids):
    done = {}
    while len(done) < len(ids):
        message = json.loads(await ws.recv())
        assert message["type"] != "error", message
        if message["type"] == "done":
            done[message["id"]] = message["answer"]
    return done


@check("websockets for Python: several questions, a cancellation, a token as a protocol")
def _():
    async def run():
        async with connect() as ws:
            for n in range(5):
                await ws.send(json.dumps({"type": "ask", "id": str(n), "query": QUESTION}))
            answers = await until_done(ws, range(5))
            assert all("rag model list" in answer for answer in answers.values()), answers
            await ws.send(json.dumps({"type": "cancel", "id": "none"}))
            assert json.loads(await ws.recv())["type"] == "cancelled"
        offered = ["rag", f"bearer.{TOKEN}"]
        async with websockets.connect(f"ws://{HOST}/ws", subprotocols=offered) as ws:
            assert ws.subprotocol == "rag"

    asyncio.run(run())


def measured(ways):
    """The 95th percentile of each way in ms. They take turns in every order: work of the machine meets all alike, and so
    does what the server does after a reply."""
    times = {name: [] for name in ways}
    orders = list(itertools.permutations(ways.items()))
    for n in range(ROUNDS + WARM):
        for name, ask in orders[n % len(orders)]:
            start = time.perf_counter()
            ask()
            times[name].append((time.perf_counter() - start) * 1e3)
    kept = {name: sorted(of[WARM:]) for name, of in times.items()}
    medians = ", ".join(f"{name} {of[len(of) // 2]:.2f}" for name, of in kept.items())
    found = {name: of[int(len(of) * 0.95)] for name, of in kept.items()}
    print(f"        medians in ms: {medians}; P95: " + ", ".join(f"{name} {ms:.2f}" for name, ms in found.items()))
    return found


@check("a known answer: P95 plain, as events and over a WebSocket, each at most 20 % above the fastest")
def _():
    from websockets.sync.client import connect as connect_now

    connection = http.client.HTTPConnection(HOST)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(stream):
        body = json.dumps({"query": QUESTION, "stream": stream})
        connection.request("POST", "/ask", body, {**HEADERS, "Content-Type": "application/json"})
        reply = connection.getresponse().read()
        assert b"rag model list" in reply

    with connect_now(f"ws://{HOST}/ws", additional_headers=HEADERS, compression=None) as ws:

        def over_socket():
            ws.send(json.dumps({"type": "ask", "id": "1", "query": QUESTION}))
            reply = ""
            while '"type":"done"' not in reply:
                reply = ws.recv()
                assert '"type":"error"' not in reply, reply
            assert "rag model list" in reply

        found = measured({"plain": lambda: post(False), "events": lambda: post(True), "socket": over_socket})
    assert max(found.values()) <= 1.2 * min(found.values()), found


def memory():
    with open(f"/proc/{os.environ['RAG_SERVER_PID']}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


@check(f"{SOCKETS} idle WebSockets take at most 64 KiB each")
def _():
    async def run():
        before = memory()
        opened = [await connect() for _ in range(SOCKETS)]
        during = memory()
        each = (during - before) * 1024 / SOCKETS
        print(f"        {before:.1f} MiB before, {during:.1f} MiB with {SOCKETS} sockets: {each:.1f} KiB each")
        await opened[-1].send(json.dumps({"type": "ask", "id": "1", "query": QUESTION}))
        await until_done(opened[-1], [1])
        await asyncio.gather(*(ws.close() for ws in opened))
        assert each <= 64, each

    asyncio.run(run())


finish()
