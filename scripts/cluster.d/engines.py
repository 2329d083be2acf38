"""Processes on free ports of 127.0.0.1: the engines that servers share, and the servers and workers themselves."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

KEYS = ("rag-tests", "rag-tests-secret")
PATIENCE_S = 300


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def until(what, is_so, seconds=PATIENCE_S):
    """Seconds until `is_so` returns something true; an exception counts as false."""
    start = time.monotonic()
    while True:
        try:
            if is_so():
                return time.monotonic() - start
        except (OSError, ValueError, KeyError, subprocess.SubprocessError):
            pass
        if time.monotonic() - start > seconds:
            raise SystemExit(f"cluster: error: {what}: not after {seconds} s")
        time.sleep(0.02 if seconds <= PATIENCE_S else 1)


def request(port, method, path, body=None, timeout=30):
    """Status and JSON of a reply; status 0 when there is none."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data, {"content-type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(asked, timeout=timeout) as reply:
            status, text = reply.status, reply.read()
    except urllib.error.HTTPError as e:
        return e.code, {}
    except (OSError, http.client.HTTPException):
        return 0, {}
    try:
        return status, json.loads(text)
    except ValueError:
        return status, {}


class Process:
    """A program with its output in a file; killed at the end of the script."""

    def __init__(self, cluster, name, command, env=None, user=None):
        self.cluster, self.name, self.command, self.env, self.user = cluster, name, command, env, user
        self.child = None
        self.start()

    def start(self):
        log = open(os.path.join(self.cluster.dir, f"{self.name}.log"), "ab")
        command = self.command
        if self.user and os.geteuid() == 0:
            command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
        self.child = subprocess.Popen(
            command, cwd=self.cluster.dir, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )

    def kill(self, how=signal.SIGKILL):
        """Ends it with the processes that it has started."""
        try:
            os.killpg(self.child.pid, how)
        except ProcessLookupError:
            pass
        self.child.wait()

    def kill_alone(self):
        self.child.kill()
        self.child.wait()

    def cpu(self):
        """CPU seconds of it and of all that it has started, those that ended too."""
        tick, total = os.sysconf("SC_CLK_TCK"), 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == self.child.pid:
                total += sum(map(int, fields[11:15]))
        return total / tick


class Cluster:
    """All processes and their folder."""

    def __init__(self, args):
        self.args = args
        self.dir = tempfile.mkdtemp(prefix="rag-cluster.")
        os.chmod(self.dir, 0o755)
        self.all = []
        self.n = 0

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def folder(self, name, is_foreign=False):
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        if is_foreign and os.geteuid() == 0:
            shutil.chown(path, "nobody", "nogroup")
        return path

    def run(self, name, command, **more):
        process = Process(self, name, command, **more)
        self.all.append(process)
        return process

    def close(self):
        for process in reversed(self.all):
            process.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start_engines(self):
        self.start_redis()
        self.start_postgres()
        self.start_bucket()

    def start_redis(self):
        master, replica, *sentinels = free_ports(5)
        self.redis_ports = [master, replica]
        common = ["--bind", "127.0.0.1", "--save", "", "--dir", self.folder("redis")]
        self.redis = [
            self.run("redis-1", ["redis-server", "--port", str(master), *common]),
            self.run("redis-2", ["redis-server", "--port", str(replica), *common, "--replicaof", "127.0.0.1", str(master)]),
        ]
        until("Redis starts", lambda: self.redis_says(master, "PING") == "+PONG")
        until("its replica follows", lambda: "slave0" in self.redis_says(master, "INFO replication"))
        self.sentinels = sentinels
        for n, port in enumerate(sentinels):
            path = self.path(f"sentinel-{n}.conf")
            with open(path, "w") as conf:
                conf.write(
                    f"port {port}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {master} 2\n"
                    "sentinel down-after-milliseconds mymaster 1000\nsentinel failover-timeout mymaster 5000\n"
                )
            self.run(f"sentinel-{n}", ["redis-server", path, "--sentinel"])
        knows = "sentinel get-master-addr-by-name mymaster"
        for port in sentinels:
            until("the Sentinels know each other", lambda p=port: "num-other-sentinels" in self.redis_says(p, "sentinel master mymaster"))
            until("the Sentinels name the master", lambda p=port: str(master) in self.redis_says(p, knows))

    @staticmethod
    def redis_says(port, command):
        with socket.create_connection(("127.0.0.1", port), 2) as s:
            s.sendall(command.encode() + b"\r\n")
            return s.recv(65536).decode(errors="replace").strip()

    @staticmethod
    def redis_says_all(port, *parts):
        """The reply to a command: a list of texts for an array, else its first line."""
        with socket.create_connection(("127.0.0.1", port), 5) as s, s.makefile("rb") as reply:
            s.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p.encode()), p.encode()) for p in parts))
            first = reply.readline().decode().strip()
            if not first.startswith("*"):
                return first
            return [reply.read(int(reply.readline()[1:]) + 2)[:-2].decode() for _ in range(int(first[1:]))]

    @staticmethod
    def delayed(port, seconds):
        """A port whose connections lead to another, and bring each reply late."""
        listener = socket.create_server(("127.0.0.1", 0))

        def carry(source, target, pause):
            try:
                while data := source.recv(1 << 16):
                    time.sleep(pause)
                    target.sendall(data)
            except OSError:
                pass
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

        def accept():
            while True:
                client = listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", port))
                for pair in ((client, server, 0), (server, client, seconds)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    def start_postgres(self):
        self.pg_ports = free_ports(2)
        bin_dir, base = self.args.postgres, self.folder("postgres", True)
        self.pg_dirs = [os.path.join(base, name) for name in ("primary", "standby")]
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
        env = {**os.environ, "HOME": base}

        def call(*command):
            subprocess.run([*as_user, *command], check=True, cwd=base, env=env, stdout=subprocess.DEVNULL)

        call(f"{bin_dir}/initdb", "--auth=trust", "--username=rag", "--encoding=UTF8", "--locale=C", "-D", self.pg_dirs[0])
        self.postgres = [self.start_pg(0)]
        until("PostgreSQL starts", lambda: self.sql(0, "SELECT 1") == "1")
        call(f"{bin_dir}/pg_basebackup", "-h", "127.0.0.1", "-p", str(self.pg_ports[0]), "-U", "rag", "-R", "-X", "stream",
             "-D", self.pg_dirs[1])
        self.postgres.append(self.start_pg(1))
        until("its standby follows", lambda: self.sql(0, "SELECT count(*) FROM pg_stat_replication") == "1")
        # From now on a commit waits for the standby.
        self.sql(0, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.sql(0, "SELECT pg_reload_conf()")
        until("the standby is synchronous", lambda: self.sql(0, "SELECT sync_state FROM pg_stat_replication") == "sync")

    def start_pg(self, n):
        command = [f"{self.args.postgres}/postgres", "-D", self.pg_dirs[n], "-h", "127.0.0.1", "-p", str(self.pg_ports[n]),
                   "-k", self.folder("postgres", True), "-c", "max_connections=200", "-c", "hot_standby=on"]
        return self.run(f"postgres-{n}", command, user="nobody")

    def sql(self, n, statement):
        done = subprocess.run(
            [f"{self.args.postgres}/psql", "-h", "127.0.0.1", "-p", str(self.pg_ports[n]), "-U", "rag", "-d", "postgres",
             "-Atc", statement],
            capture_output=True, text=True, timeout=20, check=True,
        )
        return done.stdout.strip()

    def promote(self):
        self.sql(1, "SELECT pg_promote(false)")
        # Nobody is left to wait for.
        self.sql(1, "SELECT 1")

    def start_bucket(self):
        weed, data = self.args.weed, self.folder("bucket", True)
        p = free_ports(10)
        with open(os.path.join(data, "s3.json"), "w") as conf:
            json.dump({"identities": [{"name": "tests", "credentials": [{"accessKey": KEYS[0], "secretKey": KEYS[1]}],
                                       "actions": ["Admin"]},
                                      # Makes the bucket.
                                      {"name": "anonymous", "actions": ["Admin"]}]}, conf)
        os.chmod(os.path.join(data, "s3.json"), 0o644)
        # Each part is a process of its own, so that each can be lost alone.
        local = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        master, filer = f"127.0.0.1:{p[0]}.{p[1]}", f"127.0.0.1:{p[4]}.{p[5]}"
        folders = {part: self.folder(os.path.join("bucket", part), True) for part in ("master", "volume", "filer")}
        commands = {
            "master": [weed, "master", *local, f"-mdir={folders['master']}", f"-port={p[0]}", f"-port.grpc={p[1]}",
                       "-volumeSizeLimitMB=64", "-peers=none"],
            "volume": [weed, "volume", *local, f"-dir={folders['volume']}", f"-port={p[2]}", f"-port.grpc={p[3]}",
                       f"-master={master}", "-max=100"],
            "filer": [weed, "filer", *local, f"-defaultStoreDir={folders['filer']}", f"-port={p[4]}", f"-port.grpc={p[5]}",
                      f"-master={master}"],
        }
        env = {**os.environ, "HOME": data}
        self.store = {part: self.run(f"bucket-{part}", command, user="nobody", env=env) for part, command in commands.items()}
        until("the bucket's filer starts", lambda: request(p[4], "GET", "/")[0] in (200, 404))
        self.gateways = []
        self.gateway_ports = p[6:8]
        for n, port in enumerate(self.gateway_ports):
            self.gateways.append(self.run(f"gateway-{n}", [
                weed, "s3", "-ip.bind=127.0.0.1", f"-filer={filer}", f"-port={port}",
                f"-port.grpc={p[8 + n]}", f"-config={data}/s3.json", "-iam=false", "-port.iceberg=0", "-port.lance=0",
                f"-localSocket={data}/gateway-{n}.sock",
            ], user="nobody", env=env))
            until("a gateway starts", lambda port=port: request(port, "GET", "/")[0] > 0)
        until("the bucket is made", lambda: request(self.gateway_ports[0], "PUT", "/rag")[0] == 200)
        self.s3_port = self.balance("s3", self.gateway_ports, "httpchk GET /status", "200,403,404")

    def balance(self, name, ports, check, expected):
        """HAProxy before some ports; returns its own."""
        port = free_ports(1)[0]
        path = self.path(f"{name}.cfg")
        with open(path, "w") as conf:
            conf.write(
                "global\n  maxconn 1000\ndefaults\n  mode http\n  timeout connect 1s\n  timeout client 120s\n"
                "  timeout server 120s\n  option redispatch\n  retries 3\n"
                "  retry-on conn-failure empty-response response-timeout\n"
                f"listen {name}\n  bind 127.0.0.1:{port}\n  balance roundrobin\n  option {check}\n"
                "  http-check send hdr Host localhost\n"
                f"  http-check expect rstatus ^({expected.replace(',', '|')})$\n"
            )
            for n, server in enumerate(ports):
                conf.write(f"  server {name}{n} 127.0.0.1:{server} check inter 500ms fall 2 rise 1\n")
        self.run(f"haproxy-{name}", ["haproxy", "-f", path])
        return port

    def env(self, machine, **more):
        """The variables of a machine: each has its own data directory, and the engines are shared."""
        data = self.folder(machine)
        for name in ("models", "runtime"):
            link = os.path.join(data, name)
            if not os.path.lexists(link):
                os.symlink(os.path.realpath(os.path.join(self.args.data, name)), link)
        pg = ",".join(f"127.0.0.1:{port}" for port in self.pg_ports)
        return {
            "PATH": os.environ["PATH"],
            "HOME": self.folder(f"{machine}-home"),
            "RAG_DATA_DIR": data,
            "RAG_STATE_DIR": self.folder(f"{machine}-state"),
            "RAG_DEPOT_URL": "s3://rag/cluster",
            "RAG_DEPOT_ENDPOINT": f"http://127.0.0.1:{self.s3_port}",
            "AWS_ACCESS_KEY_ID": KEYS[0],
            "AWS_SECRET_ACCESS_KEY": KEYS[1],
            "RAG_LEDGER_URL": f"postgres://rag@{pg}/postgres?target_session_attrs=read-write",
            "RAG_LEDGER_CONNECT_TIMEOUT_MS": "1000",
            "RAG_SHARED_URL": "redis://127.0.0.1",
            "RAG_SHARED_SENTINELS": ",".join(f"127.0.0.1:{port}" for port in self.sentinels),
            "RAG_SHARED_TIMEOUT_MS": "1000",
            "RAG_LOG_LEVEL": "warn",
            **more,
        }

    def call(self, machine, *args, **more):
        """A command that may fail: its exit code and what it printed."""
        return subprocess.run([self.args.rag, *args], env=self.env(machine, **more), cwd=self.dir, capture_output=True, text=True)

    def rag(self, machine, *args, **more):
        done = self.call(machine, *args, **more)
        if done.returncode:
            raise SystemExit(f"cluster: error: rag {' '.join(args)}: exit code {done.returncode}\n{done.stderr}")
        return json.loads(done.stdout) if "--json" in args else done.stdout

    def serve(self, machine, **more):
        port = free_ports(1)[0]
        self.n += 1
        process = self.run(f"{machine}-serve-{self.n}", [self.args.rag, "serve", "--port", str(port)], env=self.env(machine, **more))
        process.port = port
        until("a server starts", lambda: request(port, "GET", "/health/live")[0] == 200)
        return process

    def worker(self, machine, **more):
        self.n += 1
        return self.run(f"{machine}-worker-{self.n}", [self.args.rag, "worker"], env=self.env(machine, **more))
