//! The client: a bounded pool of connections, a time-out for each command, Sentinel, TLS.
//!
//! Commands must be safe to repeat: one that finds its idle connection cut is sent once more on a
//! new one.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{
    Client, Connection, ConnectionAddr, ConnectionInfo, ConnectionLike as _, ErrorKind,
    IntoConnectionInfo as _, RedisError, RedisResult, ServerErrorKind, TlsCertificates,
};

use super::breaker::Breaker;
use super::command::{Command, Lost, Reply, Status, Value};
use super::hint::Hint;
use crate::config::{SharedStore, read_problem};
use crate::error::{Fault, Result};
use crate::telemetry;

/// Keys that one step of a removal reads.
const SCAN_COUNT: &str = "1000";
/// The same where their values are read too.
const READ_COUNT: &str = "50";
/// A reply that takes more than this share of the time-out counts as bad for the breaker: a store
/// that slow costs more than it saves.
const SLOW_SHARE: u32 = 2;
/// Replies that all take more than this share of the time-out make the store too slow for values
/// that are computed in some milliseconds: one look-up costs a few replies.
const LATE_SHARE: u32 = 50;
/// So many replies in a row; one that is faster ends it. Fewer would be late now and then where the
/// processors are busy.
const LATE_REPLIES: usize = 8;
/// Replies to more commands than this take longer because of that.
const SHORT: usize = 3;
/// How often a listener reads its `stop` function.
const LISTENING: Duration = Duration::from_millis(200);
/// The pause of a listener whose connection was cut.
const RECONNECT: Duration = Duration::from_millis(500);
/// A listener that hears nothing for so long connects again: after a failover the server that it
/// listens to may be a replica, or be gone without having said so.
const SILENCE: Duration = Duration::from_secs(30);

/// A store, and the connections to it.
pub struct Redis {
    /// With the password; never shown.
    info: ConnectionInfo,
    certificates: Option<Vec<u8>>,
    sentinels: Vec<(String, u16)>,
    /// The name of the master in the Sentinels.
    master: String,
    /// The master as the Sentinels named it last.
    current: Mutex<Option<(String, u16)>>,
    prefix: String,
    idle: Mutex<Vec<Connection>>,
    /// Notified when a connection is free again.
    freed: Condvar,
    open: AtomicUsize,
    most: usize,
    connect_timeout: Duration,
    timeout: Duration,
    breaker: Mutex<Breaker>,
    start: Instant,
    latency_us: AtomicU64,
    /// Of the last replies to few commands, zero at first.
    latest_us: Mutex<[u64; LATE_REPLIES]>,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redis({})", self.place())
    }
}

impl Redis {
    /// The store of the settings. Nothing is sent yet.
    ///
    /// # Errors
    /// A usage fault for an invalid address or file of certificates.
    pub fn open(settings: &SharedStore, database: Option<u64>) -> Result<Self> {
        let url = settings.url.as_ref().map_or("", |url| url.expose());
        let info = url.into_connection_info().map_err(|e| {
            Fault::usage(format!("shared.url is not the address of a Redis server: {e}"))
        })?;
        let info = match database.and_then(|database| i64::try_from(database).ok()) {
            Some(database) => {
                let redis = info.redis_settings().clone().set_db(database);
                info.set_redis_settings(redis)
            }
            None => info,
        };
        let certificates = match &settings.ca_file {
            Some(path) => Some(std::fs::read(path).map_err(|e| {
                Fault::usage(format!("shared.ca_file {}: {}", path.display(), read_problem(&e)))
            })?),
            None => None,
        };
        Ok(Self {
            info,
            certificates,
            sentinels: settings.sentinels.iter().filter_map(|text| address(text)).collect(),
            master: settings.master.clone(),
            current: Mutex::default(),
            prefix: settings.prefix.clone(),
            idle: Mutex::default(),
            freed: Condvar::new(),
            open: AtomicUsize::new(0),
            most: settings.pool,
            connect_timeout: settings.connect_timeout,
            timeout: settings.timeout,
            breaker: Mutex::default(),
            start: Instant::now(),
            latency_us: AtomicU64::new(0),
            latest_us: Mutex::default(),
        })
    }

    /// The name of a key below the prefix.
    pub fn key(&self, parts: &[&str]) -> String {
        format!("{}:{}", self.prefix, parts.join(":"))
    }

    /// Sends commands together and returns their replies in order. A command that the server
    /// refuses is a value, like the others.
    ///
    /// # Errors
    /// When there is no reply.
    pub fn run(&self, commands: &[Command]) -> Reply<Vec<Value>> {
        if !locked(&self.breaker).admits(self.start.elapsed()) {
            return Err(Lost::Paused);
        }
        let start = Instant::now();
        let outcome = self.try_run(commands);
        let elapsed = start.elapsed();
        if outcome == Err(Lost::Busy) {
            return outcome;
        }
        let is_good = outcome.is_ok() && elapsed <= self.timeout / SLOW_SHARE;
        let was_closed = {
            let mut breaker = locked(&self.breaker);
            let was_closed = breaker.is_closed();
            breaker.record(is_good, self.start.elapsed());
            telemetry::breaker("redis", !breaker.is_closed());
            was_closed && !breaker.is_closed()
        };
        if was_closed {
            let why = outcome.as_ref().err().map_or("it is slow".to_owned(), ToString::to_string);
            telemetry::warn!(why, "Redis is not asked for a while; local caches go on");
        }
        if outcome.is_ok() {
            let us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
            self.latency_us.store(us, Ordering::Relaxed);
            if commands.len() <= SHORT {
                let mut latest = locked(&self.latest_us);
                latest.rotate_left(1);
                latest[LATE_REPLIES - 1] = us;
            }
        }
        outcome
    }

    /// Whether the last replies were so slow that computing a small value takes less time than
    /// looking it up.
    pub fn is_slow(&self) -> bool {
        let limit = u64::try_from((self.timeout / LATE_SHARE).as_micros()).unwrap_or(u64::MAX);
        locked(&self.latest_us).iter().all(|us| *us > limit)
    }

    /// As [`Redis::run`], for one command. A refusal is an error.
    ///
    /// # Errors
    /// When there is no reply, or the server refuses the command.
    pub fn one(&self, command: Command) -> Reply<Value> {
        match self.run(&[command])?.pop() {
            Some(Value::Refused(why)) => Err(Lost::Failed(why)),
            Some(value) => Ok(value),
            None => Err(Lost::Failed("there is no reply".to_owned())),
        }
    }

    /// Removes every key that matches a pattern; returns how many.
    ///
    /// # Errors
    /// When there is no reply. Some keys may be gone then.
    pub fn remove_all(&self, pattern: &str) -> Reply<u64> {
        self.remove_pages(pattern, SCAN_COUNT, &|keys| Ok(keys))
    }

    /// Removes every key that matches a pattern and whose value `is_chosen`; returns how many. What
    /// is no string is removed.
    ///
    /// # Errors
    /// As [`Redis::remove_all`].
    pub fn remove_chosen(&self, pattern: &str, is_chosen: &dyn Fn(&[u8]) -> bool) -> Reply<u64> {
        self.remove_pages(pattern, READ_COUNT, &|keys| {
            let get = keys.iter().fold(Command::new("MGET"), Command::arg);
            let values = self.one(get)?.list();
            let pairs = keys.into_iter().zip(values);
            let is_chosen = |value: Value| value.bytes().is_none_or(|bytes| is_chosen(&bytes));
            Ok(pairs.filter_map(|(key, value)| is_chosen(value).then_some(key)).collect())
        })
    }

    /// Removes what `choose` returns of each page of keys.
    fn remove_pages(
        &self,
        pattern: &str,
        count: &str,
        choose: &dyn Fn(Vec<Vec<u8>>) -> Reply<Vec<Vec<u8>>>,
    ) -> Reply<u64> {
        let (mut cursor, mut removed) = ("0".to_owned(), 0);
        loop {
            let scan = Command::new("SCAN").arg(&cursor).arg("MATCH").arg(pattern);
            let mut page = self.one(scan.arg("COUNT").arg(count))?.list().into_iter();
            cursor = page.next().and_then(Value::text).unwrap_or_else(|| "0".to_owned());
            let keys = page.next().map(Value::list).unwrap_or_default();
            let keys: Vec<Vec<u8>> = keys.into_iter().filter_map(Value::bytes).collect();
            let keys = if keys.is_empty() { keys } else { choose(keys)? };
            if !keys.is_empty() {
                let unlink = keys.into_iter().fold(Command::new("UNLINK"), Command::arg);
                removed += self.one(unlink)?.int().unwrap_or_default().unsigned_abs();
            }
            if cursor == "0" {
                return Ok(removed);
            }
        }
    }

    /// Sends a hint to every process that listens. A hint that is lost is no failure.
    pub fn announce(&self, hint: Hint) {
        let publish = Command::new("PUBLISH").arg(self.channel(hint)).arg("");
        if let Err(lost) = self.one(publish) {
            telemetry::debug!(hint = hint.name(), why = lost.to_string(), "no hint was sent");
        }
    }

    /// Reports hints until `stop` returns true, on a connection besides those of the pool. Each new
    /// connection reports all of them: what was sent before was not heard.
    pub fn hear(&self, on_hint: &mut dyn FnMut(Hint), stop: &dyn Fn() -> bool) {
        while !stop() {
            if let Ok(mut connection) = self.try_connect() {
                let _ = self.hear_on(&mut connection, on_hint, stop);
            }
            *locked(&self.current) = None;
            let end = Instant::now() + RECONNECT;
            while !stop() && Instant::now() < end {
                std::thread::sleep(LISTENING);
            }
        }
    }

    fn hear_on(
        &self,
        connection: &mut Connection,
        on_hint: &mut dyn FnMut(Hint),
        stop: &dyn Fn() -> bool,
    ) -> RedisResult<()> {
        let mut subscription = connection.as_pubsub();
        for hint in Hint::ALL {
            subscription.subscribe(self.channel(hint))?;
        }
        Hint::ALL.into_iter().for_each(&mut *on_hint);
        subscription.set_read_timeout(Some(LISTENING))?;
        let mut heard = Instant::now();
        while !stop() && heard.elapsed() < SILENCE {
            match subscription.get_message() {
                Ok(message) => {
                    heard = Instant::now();
                    let channel = message.get_channel_name().to_owned();
                    let hints = Hint::ALL.into_iter();
                    hints.filter(|hint| self.channel(*hint) == channel).for_each(&mut *on_hint);
                }
                Err(e) if e.is_timeout() => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn channel(&self, hint: Hint) -> String {
        self.key(&["hint", hint.name()])
    }

    /// Whether the store answers, whatever the breaker says: a sentence about it.
    ///
    /// # Errors
    /// [`Kind::Outside`](crate::error::Kind::Outside) naming the place and the problem.
    pub fn check(&self) -> Result<String> {
        let commands = [Command::new("PING"), Command::new("INFO").arg("server")];
        let start = Instant::now();
        let replies = self.try_run(&commands).map_err(|lost| {
            Fault::outside(format!("Redis at {} does not answer: {lost}", self.place()))
                .hint("start it, or correct `shared.url`; until then, local caches are used")
        })?;
        let ms = start.elapsed().as_secs_f64() * 1e3;
        for reply in &replies {
            if let Value::Refused(why) = reply {
                let what = format!("Redis at {} refuses: {why}", self.place());
                return Err(Fault::outside(what).hint("check the password in `shared.url`"));
            }
        }
        let info = replies.into_iter().nth(1).and_then(Value::text).unwrap_or_default();
        let field = |name: &str| {
            let mut lines = info.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::to_owned)
        };
        let version = field("valkey_version").map(|version| format!("Valkey {version}"));
        let version = version.or_else(|| Some(format!("Redis {}", field("redis_version")?)));
        let version = version.unwrap_or_else(|| "a server".to_owned());
        Ok(format!("{version} at {} answers in {ms:.1} ms", self.place()))
    }

    pub fn status(&self) -> Status {
        let open = self.open.load(Ordering::Relaxed);
        let latency_us = self.latency_us.load(Ordering::Relaxed);
        Status {
            is_closed: locked(&self.breaker).is_closed(),
            open,
            used: open.saturating_sub(locked(&self.idle).len()),
            most: self.most,
            latency: (latency_us > 0).then(|| Duration::from_micros(latency_us)),
        }
    }

    /// The address, without user and password.
    fn place(&self) -> String {
        match self.sentinels.is_empty() {
            true => self.info.addr().to_string(),
            false => {
                let names = self.sentinels.iter().map(|(host, port)| format!("{host}:{port}"));
                let names: Vec<String> = names.collect();
                format!("`{}` of the Sentinels {}", self.master, names.join(", "))
            }
        }
    }

    fn try_run(&self, commands: &[Command]) -> Reply<Vec<Value>> {
        let packed: Vec<u8> =
            commands.iter().flat_map(|command| redis::pack_command(command.parts())).collect();
        let (mut connection, is_reused) = self.take()?;
        let mut sent = connection.req_packed_commands(&packed, 0, commands.len());
        if is_reused && sent.as_ref().is_err_and(|e| e.is_connection_dropped() && !e.is_timeout()) {
            // The server was restarted, or has closed the idle connection.
            self.discard(connection);
            self.close_idle();
            connection = self.connect()?;
            sent = connection.req_packed_commands(&packed, 0, commands.len());
        }
        match sent {
            Ok(values) if values.iter().any(is_not_master) => {
                self.discard(connection);
                self.close_idle();
                Err(Lost::Failed("the server is not the master".to_owned()))
            }
            Ok(values) => {
                self.give_back(connection);
                Ok(values.into_iter().map(value).collect())
            }
            Err(e) => {
                // Whatever is still to come must not answer the next command.
                self.discard(connection);
                if !e.is_timeout() {
                    self.close_idle();
                }
                Err(lost(&e))
            }
        }
    }

    /// An idle connection or a new one, and whether it was idle.
    fn take(&self) -> Reply<(Connection, bool)> {
        let mut idle = locked(&self.idle);
        let end = Instant::now() + self.timeout;
        loop {
            if let Some(connection) = idle.pop() {
                return Ok((connection, true));
            }
            if self.open.load(Ordering::Relaxed) < self.most {
                drop(idle);
                return self.connect().map(|connection| (connection, false));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Lost::Busy);
            }
            idle = self.freed.wait_timeout(idle, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn give_back(&self, connection: Connection) {
        locked(&self.idle).push(connection);
        self.freed.notify_one();
    }

    fn discard(&self, connection: Connection) {
        drop(connection);
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.freed.notify_one();
    }

    /// Closes the idle connections, which lead to the same server, and forgets the master.
    fn close_idle(&self) {
        let idle = std::mem::take(&mut *locked(&self.idle));
        self.open.fetch_sub(idle.len(), Ordering::Relaxed);
        *locked(&self.current) = None;
        self.freed.notify_all();
    }

    fn connect(&self) -> Reply<Connection> {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.try_connect().inspect_err(|_| {
            self.open.fetch_sub(1, Ordering::Relaxed);
            *locked(&self.current) = None;
        })
    }

    fn try_connect(&self) -> Reply<Connection> {
        let info = match self.sentinels.is_empty() {
            true => self.info.clone(),
            false => self.master_info()?,
        };
        let client = match &self.certificates {
            Some(pem) => {
                let root = TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) };
                Client::build_with_tls(info, root)
            }
            None => Client::open(info),
        };
        let connection = client.and_then(|client| self.connection(&client));
        connection.map_err(|e| lost(&e))
    }

    fn connection(&self, client: &Client) -> RedisResult<Connection> {
        let connection = client.get_connection_with_timeout(self.connect_timeout)?;
        connection.set_read_timeout(Some(self.timeout))?;
        connection.set_write_timeout(Some(self.timeout))?;
        Ok(connection)
    }

    /// The address of the master, as the Sentinels name it.
    fn master_info(&self) -> Reply<ConnectionInfo> {
        let known = locked(&self.current).clone();
        let (host, port) = match known {
            Some(known) => known,
            None => self.ask_sentinels()?,
        };
        *locked(&self.current) = Some((host.clone(), port));
        let addr = match self.info.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host, port),
        };
        Ok(self.info.clone().set_addr(addr))
    }

    fn ask_sentinels(&self) -> Reply<(String, u16)> {
        let mut last = Lost::Failed("no Sentinel knows the master".to_owned());
        let ask = redis::pack_command(&[
            b"SENTINEL".to_vec(),
            b"get-master-addr-by-name".to_vec(),
            self.master.clone().into_bytes(),
        ]);
        for (host, port) in &self.sentinels {
            let asked = Client::open((host.as_str(), *port))
                .and_then(|client| self.connection(&client))
                .and_then(|mut sentinel| sentinel.req_packed_commands(&ask, 0, 1));
            let mut named = match asked {
                Ok(replies) => replies.into_iter().map(value).flat_map(Value::list),
                Err(e) => {
                    last = lost(&e);
                    continue;
                }
            };
            let (host, port) = (named.next().and_then(Value::text), named.next());
            if let (Some(host), Some(port)) = (host, port.as_ref().and_then(Value::int)) {
                return Ok((host, u16::try_from(port).unwrap_or_default()));
            }
        }
        Err(last)
    }
}

/// Host and port; the settings have checked the form.
fn address(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
}

/// Replies of a replica, of a master that lost its role, or of a server that is starting.
fn is_not_master(value: &redis::Value) -> bool {
    let redis::Value::ServerError(error) = value else { return false };
    let kinds =
        [ServerErrorKind::ReadOnly, ServerErrorKind::MasterDown, ServerErrorKind::BusyLoading];
    error.kind().is_some_and(|kind| kinds.contains(&kind))
}

fn value(value: redis::Value) -> Value {
    match value {
        redis::Value::Int(n) => Value::Int(n),
        redis::Value::BulkString(bytes) => Value::Bytes(bytes),
        redis::Value::SimpleString(text) => Value::Bytes(text.into_bytes()),
        redis::Value::Okay => Value::Bytes(b"OK".to_vec()),
        redis::Value::Array(values) | redis::Value::Set(values) => {
            Value::List(values.into_iter().map(self::value).collect())
        }
        redis::Value::ServerError(error) => Value::Refused(error.code().to_owned()),
        _ => Value::Nil,
    }
}

/// Without address, password and the arguments of the command.
fn lost(error: &RedisError) -> Lost {
    Lost::Failed(match error.kind() {
        _ if error.is_timeout() => "it did not answer in time".to_owned(),
        _ if error.is_connection_refusal() => "the connection was refused".to_owned(),
        ErrorKind::AuthenticationFailed => "it does not accept the password".to_owned(),
        ErrorKind::Io => "the connection failed".to_owned(),
        _ => error.code().map_or_else(|| error.category().to_owned(), str::to_owned),
    })
}

/// Ignores poisoning: every update is a single operation.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
