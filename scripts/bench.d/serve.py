"""The server under load: wrk at the maximum rate, and an asynchronous client at a fixed rate."""

import asyncio
import json
import pathlib
import re
import statistics
import subprocess
import time

# Each thread of wrk has separate questions, so that none is asked twice; or all repeat the same ones.
LUA = """
local thread_count = 0
function setup(thread)
    thread:set("n", thread_count)
    thread_count = thread_count + 1
end
function init(args)
    bodies, at = {}, 0
    for line in io.lines(args[1]) do
        bodies[#bodies + 1] = line
    end
    if args[2] == "once" then
        at = n * math.floor(#bodies / 2)
    end
end
function request()
    at = at % #bodies + 1
    return wrk.format("POST", nil, { ["Content-Type"] = "application/json" }, bodies[at])
end
function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "seconds": %f, "p50_ms": %f, "p95_ms": %f, "errors": %d}\\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


class Server:
    """`rag serve` on a free port."""

    def __init__(self, rag, env, work):
        self.work = pathlib.Path(work)
        self.lua = self.work / "load.lua"
        self.lua.write_text(LUA, encoding="utf-8")
        self.process = subprocess.Popen(
            [rag, "serve", "--port", "0", "--json"],
            env=env,
            stdout=subprocess.PIPE,
            # It logs every request, as in production.
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        said = json.loads(self.process.stdout.readline())
        self.host, self.port = said["host"], said["port"]

    def stop(self):
        self.process.terminate()
        if self.process.wait() != 0:
            raise SystemExit(f"bench: rag serve ended with {self.process.returncode}")

    def bodies(self, name, bodies):
        file = self.work / name
        file.write_text("".join(json.dumps(body) + "\n" for body in bodies), encoding="utf-8")
        return file

    def wrk(self, route, file, seconds, connections=64, once=True):
        """Requests at the maximum rate, from `connections` connections."""
        url = f"http://{self.host}:{self.port}{route}"
        args = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "-s", self.lua, url, "--", file, "once" if once else "again"]
        output = subprocess.run(list(map(str, args)), check=True, capture_output=True, text=True).stdout
        result = json.loads(re.search(r"^\{.*\}$", output, re.MULTILINE).group())
        if result["errors"]:
            raise SystemExit(f"bench: {result['errors']} of {result['requests']} requests failed\n{output}")
        return result | {"rate": result["requests"] / result["seconds"]}

    def at_rate(self, route, bodies, rate=None):
        """Milliseconds of each request: one after another, or at `rate` per second without waiting for replies."""
        return asyncio.run(self._at_rate(route, bodies, rate))

    async def _at_rate(self, route, bodies, rate):
        free, times, tasks = [], [], []

        async def one(body, due):
            stream = free.pop() if free else await asyncio.open_connection(self.host, self.port)
            reply = await self._send(stream, route, body)
            # From the time at which it was due: a delayed start counts.
            times.append((time.perf_counter() - due) * 1e3)
            if reply[0] != 200:
                raise SystemExit(f"bench: {reply}")
            free.append(stream)

        start = time.perf_counter()
        for n, body in enumerate(bodies):
            if rate is None:
                await one(body, time.perf_counter())
                continue
            due = start + n / rate
            await asyncio.sleep(max(0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(one(body, due)))
        await asyncio.gather(*tasks)
        return times

    async def _send(self, stream, route, body):
        reader, writer = stream
        data = json.dumps(body).encode()
        head = f"POST {route} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(re.search(r"content-length: (\d+)", head, re.IGNORECASE).group(1))
        return int(head.split(" ")[1]), await reader.readexactly(length)

    def together(self, route, others, body, n):
        """Sends one question `n` times while `others` keep the server busy; returns the number of texts that the model embedded."""

        async def all_of_them():
            before = self.texts()
            streams = [await asyncio.open_connection(self.host, self.port) for _ in range(len(others) + n)]
            sent = [self._send(stream, route, other) for stream, other in zip(streams, others + [body] * n)]
            replies = await asyncio.gather(*sent)
            if any(status != 200 for status, _ in replies):
                raise SystemExit("bench: a question was refused")
            return self.texts() - before

        return asyncio.run(all_of_them())

    def texts(self):
        import urllib.request

        text = urllib.request.urlopen(f"http://{self.host}:{self.port}/metrics").read().decode()
        return int(re.search(r'rag_model_texts_total\{role="query"\} (\d+)', text).group(1))


def p95(times):
    return statistics.quantiles(times, n=20)[-1]
