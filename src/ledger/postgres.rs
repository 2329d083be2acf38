//! The client: a pool of checked connections, TLS, and a transaction that may run again.
//!
//! Callers are synchronous. A small runtime owns the connections, and a caller waits for it; never
//! on a thread that serves connections.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use tokio_postgres::{Config, Error, error::SqlState};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::schema::{LEDGER, LOCK, PARTITIONED, Schema, VECTORS};
use super::value::{Cell, Migration, Param, Row, Status};
use crate::config::{Database, read_problem};
use crate::error::{Context as _, Fault, Reason, Result};
use crate::telemetry;

/// A connection is replaced after this time: a server behind a balancer changes.
const MAX_AGE: Duration = Duration::from_secs(3600);
/// How often work is tried. A promoted standby answers within seconds.
const TRIES: u32 = 4;
/// The same for vectors: a search waits for them, and connections are checked before use.
const TRIES_FOR_VECTORS: u32 = 2;
/// Pause before the second try; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Where systems keep the certificates that they trust.
const SYSTEM_CERTIFICATES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
const SECONDS_PER_DAY: i64 = 86_400;

pub struct Postgres {
    schema: &'static Schema,
    runtime: tokio::runtime::Runtime,
    pool: Pool,
    /// Host, port and database, without user and password.
    place: String,
    /// More than a statement takes, retries not included.
    timeout: Duration,
    /// How often work is tried when a connection breaks.
    tries: u32,
    /// Days whose partitions exist.
    days: Mutex<BTreeSet<i64>>,
    is_well: AtomicBool,
    latency_us: AtomicU64,
}

/// Statements that happen together or not at all.
pub struct Transaction<'a> {
    postgres: &'a Postgres,
    client: &'a Object,
    /// Of one statement.
    limit: Duration,
}

/// What kind of problem ended some work.
enum Problem {
    /// The connection broke, or the server is starting or no longer the primary: another try may
    /// succeed. Whether a commit happened is unknown.
    Broken(Fault),
    Other(Fault),
}

impl Postgres {
    /// The database of the settings. Nothing is sent yet.
    ///
    /// # Errors
    /// A usage fault for an invalid address or file of certificates.
    pub fn open(settings: &Database) -> Result<Self> {
        Self::open_with(settings, &LEDGER, "")
    }

    /// The database for vectors, with further `options` (`-c name=value`) of its connections.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub fn open_for_vectors(settings: &Database, options: &str) -> Result<Self> {
        let opened = Self::open_with(settings, &VECTORS, options)?;
        Ok(Self { tries: TRIES_FOR_VECTORS, ..opened })
    }

    fn open_with(
        settings: &Database,
        schema: &'static Schema,
        further_options: &str,
    ) -> Result<Self> {
        let url = settings.url.as_ref().map_or("", |url| url.expose());
        // The cause may quote the password.
        let mut config = Config::from_str(url).map_err(|_| {
            Fault::usage(format!("{} is not the address of a PostgreSQL database", schema.setting))
                .hint("such as postgres://user:password@host:5432/rag?sslmode=require")
        })?;
        config.connect_timeout(settings.connect_timeout).application_name("rag");
        let timeout_ms = settings.timeout.as_millis();
        let options = config.get_options().unwrap_or_default().to_owned();
        let options = format!("{options} -c statement_timeout={timeout_ms} {further_options}");
        config.options(options.trim());
        let place = place(&config);
        let tls = MakeRustlsConnect::new(tls(settings)?);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Verified };
        let manager = Manager::from_config(config, tls, recycling);
        let is_young =
            Hook::sync_fn(|_: &mut _, metrics: &deadpool_postgres::Metrics| {
                match metrics.age() < MAX_AGE {
                    true => Ok(()),
                    false => Err(HookError::message("old")),
                }
            });
        let pool = Pool::builder(manager)
            .max_size(settings.pool + settings.overflow)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(settings.timeout))
            .create_timeout(Some(settings.connect_timeout))
            .recycle_timeout(Some(settings.connect_timeout))
            .pre_recycle(is_young)
            .build()
            .or_failed(|| "cannot make a pool of connections".into())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("ledger")
            .enable_all()
            .build()
            .or_failed(|| "cannot start a thread".into())?;
        Ok(Self {
            schema,
            tries: TRIES,
            runtime,
            pool,
            place,
            timeout: settings.timeout * 2 + settings.connect_timeout,
            days: Mutex::default(),
            is_well: AtomicBool::new(true),
            latency_us: AtomicU64::new(0),
        })
    }

    /// The rows of a statement, which must be safe to repeat.
    ///
    /// # Errors
    /// [`Kind::Outside`](crate::error::Kind::Outside) naming the problem.
    pub fn query(&self, sql: &str, params: &[Param]) -> Result<Vec<Row>> {
        self.repeat(|client| self.run(client, sql, params, self.timeout))
    }

    /// Runs a statement, which must be safe to repeat; returns the number of changed rows.
    ///
    /// # Errors
    /// As [`Postgres::query`].
    pub fn execute(&self, sql: &str, params: &[Param]) -> Result<u64> {
        self.repeat(|client| self.change(client, sql, params, self.timeout))
    }

    /// Runs statements together. The work runs again when the connection breaks, even if a commit
    /// may have happened, so it must find out what is already there.
    ///
    /// # Errors
    /// Those of the work, and as [`Postgres::query`].
    pub fn transaction<T>(&self, work: impl FnMut(&mut Transaction<'_>) -> Result<T>) -> Result<T> {
        self.transact("BEGIN", self.timeout, work)
    }

    /// As [`Postgres::transaction`], without waiting until it is on disk: a crash of the server may
    /// undo it.
    ///
    /// # Errors
    /// As [`Postgres::transaction`].
    pub fn brief_transaction<T>(
        &self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        self.transact("BEGIN; SET LOCAL synchronous_commit = off", self.timeout, work)
    }

    /// As [`Postgres::transaction`], for statements that may take as long as `limit`.
    ///
    /// # Errors
    /// As [`Postgres::transaction`].
    pub fn long_transaction<T>(
        &self,
        limit: Duration,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let begin = format!("BEGIN; SET LOCAL statement_timeout = {}", limit.as_millis());
        self.transact(&begin, limit + self.timeout, work)
    }

    fn transact<T>(
        &self,
        begin: &str,
        limit: Duration,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        self.repeat(|client| {
            self.batch(client, begin, self.timeout)?;
            let outcome = work(&mut Transaction { postgres: self, client, limit });
            match outcome {
                Ok(value) => self.batch(client, "COMMIT", limit).map(|()| value),
                Err(fault) => {
                    let is_over = self.batch(client, "ROLLBACK", self.timeout);
                    match is_over {
                        Err(Problem::Broken(_)) => Err(Problem::Broken(fault)),
                        _ => Err(Problem::Other(fault)),
                    }
                }
            }
        })
    }

    /// Brings the schema to the version of this program. One process at a time.
    ///
    /// # Errors
    /// As [`Postgres::query`]; a fault for a schema of a newer version.
    pub fn migrate(&self) -> Result<Migration> {
        self.transaction(|transaction| {
            transaction.query("SELECT pg_advisory_xact_lock($1)", &[Param::Int(LOCK)])?;
            let Schema { table, steps, .. } = self.schema;
            let sql = format!(
                "CREATE TABLE IF NOT EXISTS {table} (
                     version integer NOT NULL, at timestamptz NOT NULL DEFAULT now())"
            );
            transaction.execute(&sql, &[])?;
            let sql = format!("SELECT coalesce(max(version), 0)::bigint FROM {table}");
            let from = transaction.query(&sql, &[])?.first().map_or(0, |row| row.int(0)) as u32;
            let to = self.schema.version();
            if from > to {
                return Err(newer(from, to));
            }
            for (step, version) in steps.iter().zip(1u32..).skip(from as usize) {
                transaction.script(step)?;
                let sql = format!("INSERT INTO {table} (version) VALUES ($1)");
                transaction.execute(&sql, &[Param::Int(version.into())])?;
            }
            Ok(Migration { from, to })
        })
    }

    /// Makes the partitions of days (Unix seconds of any moment of each).
    ///
    /// # Errors
    /// As [`Postgres::query`].
    pub fn ensure_days(&self, moments: &[i64]) -> Result<()> {
        let days: BTreeSet<i64> = moments.iter().map(|at| at.div_euclid(SECONDS_PER_DAY)).collect();
        let known = self.days.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for day in days.into_iter().filter(|day| !known.contains(day)) {
            self.transaction(|transaction| {
                transaction.query("SELECT pg_advisory_xact_lock($1)", &[Param::Int(LOCK)])?;
                let name = "SELECT to_char(to_timestamp($1) AT TIME ZONE 'UTC', 'YYYYMMDD')";
                let from = Param::Real((day * SECONDS_PER_DAY) as f64);
                let name = transaction.query(name, &[from])?;
                let name = name.first().map(|row| row.text(0)).unwrap_or_default();
                for table in PARTITIONED {
                    // Names and bounds are made of digits only; statements that define tables take
                    // no parameters.
                    let (from, to) = (day * SECONDS_PER_DAY, (day + 1) * SECONDS_PER_DAY);
                    transaction.script(&format!(
                        "CREATE TABLE IF NOT EXISTS {table}_{name} PARTITION OF {table} \
                         FOR VALUES FROM (to_timestamp({from})) TO (to_timestamp({to}))"
                    ))?;
                }
                Ok(())
            })?;
            self.days.lock().unwrap_or_else(PoisonError::into_inner).insert(day);
        }
        Ok(())
    }

    /// Drops the partitions of the days before that of a moment; returns how many.
    ///
    /// # Errors
    /// As [`Postgres::query`].
    pub fn drop_days_before(&self, moment_s: i64) -> Result<u64> {
        let sql = "SELECT c.relname::text FROM pg_inherits i \
                   JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent \
                   WHERE p.relname = ANY (string_to_array($1, ',')) AND pg_table_is_visible(p.oid) \
                   AND c.relname ~ '_[0-9]{8}$' AND right(c.relname, 8) < \
                   to_char(to_timestamp($2) AT TIME ZONE 'UTC', 'YYYYMMDD')";
        let tables = Param::Text(PARTITIONED.join(","));
        let old = self.query(sql, &[tables, Param::Real(moment_s as f64)])?;
        for row in &old {
            // The name matches a table of ours and eight digits.
            let drop = format!("DROP TABLE IF EXISTS {}", row.text(0));
            self.repeat(|client| self.batch(client, &drop, self.timeout))?;
        }
        self.days.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(old.len() as u64)
    }

    /// Whether the database answers and has the schema of this program: a sentence about it.
    ///
    /// # Errors
    /// As [`Postgres::query`], with what to do.
    pub fn check(&self) -> Result<String> {
        let start = Instant::now();
        let (table, setting) = (self.schema.table, self.schema.setting);
        let sql = format!(
            "SELECT current_setting('server_version'), to_regclass('{table}') IS NOT NULL, \
             pg_is_in_recovery()"
        );
        let found = self.query(&sql, &[])?;
        let ms = start.elapsed().as_secs_f64() * 1e3;
        let Some(row) = found.first() else { return Err(Fault::outside("it gives no answer")) };
        let version = match row.flag(1) {
            true => {
                let sql = format!("SELECT coalesce(max(version), 0)::bigint FROM {table}");
                self.query(&sql, &[])?.first().map_or(0, |row| row.int(0)) as u32
            }
            false => 0,
        };
        let needed = self.schema.version();
        if version < needed {
            let what = format!(
                "the database {} has the schema of version {version}; this program needs {needed}",
                self.place
            );
            return Err(Fault::outside(what).hint("run `rag migrate`"));
        }
        if row.flag(2) {
            let what = format!("{} is a standby, which cannot be written to", self.place);
            return Err(Fault::outside(what).hint(format!(
                "name all servers in `{setting}`, with target_session_attrs=read-write"
            )));
        }
        let server = row.text(0);
        Ok(format!("PostgreSQL {server} at {} answers in {ms:.1} ms", self.place))
    }

    pub fn status(&self) -> Status {
        let status = self.pool.status();
        let latency_us = self.latency_us.load(Ordering::Relaxed);
        Status {
            is_well: self.is_well.load(Ordering::Relaxed),
            open: status.size,
            used: status.size.saturating_sub(status.available),
            most: status.max_size,
            latency: (latency_us > 0).then(|| Duration::from_micros(latency_us)),
        }
    }

    /// Runs work with a connection, again when that breaks.
    fn repeat<T>(
        &self,
        mut work: impl FnMut(&Object) -> std::result::Result<T, Problem>,
    ) -> Result<T> {
        let (mut pause, mut tries) = (FIRST_PAUSE, 0);
        loop {
            tries += 1;
            let start = Instant::now();
            let outcome = self.connect().and_then(|client| {
                let outcome = work(&client);
                if matches!(outcome, Err(Problem::Broken(_))) {
                    // A broken connection must not go back into the pool.
                    drop(Object::take(client));
                }
                outcome
            });
            let is_well = !matches!(outcome, Err(Problem::Broken(_)));
            let was_well = self.is_well.swap(is_well, Ordering::Relaxed);
            match outcome {
                Ok(value) => {
                    let us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
                    self.latency_us.store(us, Ordering::Relaxed);
                    return Ok(value);
                }
                Err(Problem::Broken(fault)) if tries >= self.tries => return Err(fault),
                Err(Problem::Broken(fault)) => {
                    // Once: a server looks several times a second.
                    match was_well {
                        true => telemetry::warn!("{fault}; trying again"),
                        false => telemetry::debug!("{fault}; trying again"),
                    }
                    std::thread::park_timeout(pause);
                    pause *= 2;
                }
                Err(Problem::Other(fault)) => return Err(fault),
            }
        }
    }

    fn connect(&self) -> std::result::Result<Object, Problem> {
        self.runtime.block_on(self.pool.get()).map_err(|error| match error {
            PoolError::Backend(error) => self.problem(&error),
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => Problem::Other(
                Fault::outside(format!("every connection to {} is in use", self.place))
                    .reason(Reason::Engine)
                    .hint("raise `ledger.pool`"),
            ),
            _ => Problem::Broken(self.silent("no connection")),
        })
    }

    fn run(
        &self,
        client: &Object,
        sql: &str,
        params: &[Param],
        limit: Duration,
    ) -> std::result::Result<Vec<Row>, Problem> {
        let rows = self.wait(limit, async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, &borrowed(params)).await
        })?;
        Ok(rows.iter().map(row).collect())
    }

    fn change(
        &self,
        client: &Object,
        sql: &str,
        params: &[Param],
        limit: Duration,
    ) -> std::result::Result<u64, Problem> {
        self.wait(limit, async {
            let statement = client.prepare_cached(sql).await?;
            client.execute(&statement, &borrowed(params)).await
        })
    }

    fn batch(
        &self,
        client: &Object,
        sql: &str,
        limit: Duration,
    ) -> std::result::Result<(), Problem> {
        self.wait(limit, client.batch_execute(sql))
    }

    /// Waits for an answer, for a bounded time: a server that vanished says nothing.
    fn wait<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = std::result::Result<T, Error>>,
    ) -> std::result::Result<T, Problem> {
        let timed = self.runtime.block_on(async { tokio::time::timeout(limit, work).await });
        match timed {
            Ok(answer) => answer.map_err(|error| self.problem(&error)),
            Err(_) => Err(Problem::Broken(self.silent("no answer in time"))),
        }
    }

    fn silent(&self, why: &str) -> Fault {
        Fault::outside(format!("PostgreSQL at {} does not answer: {why}", self.place))
            .reason(Reason::Engine)
            .hint(format!("start it, or correct `{}`", self.schema.setting))
    }

    fn problem(&self, error: &Error) -> Problem {
        let Some(answer) = error.as_db_error() else {
            // The text of other errors names neither user nor password.
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            return Problem::Broken(self.silent(&cause));
        };
        let what = format!("PostgreSQL at {}: {}", self.place, answer.message());
        let is_absent =
            [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN].contains(answer.code());
        let is_passing = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
        ];
        match () {
            () if is_absent => Problem::Other(
                Fault::outside(what)
                    .reason(Reason::Engine)
                    .hint("run `rag migrate`, which brings the schema up to date"),
            ),
            () if is_passing.contains(answer.code()) => {
                Problem::Broken(Fault::outside(what).reason(Reason::Engine))
            }
            () => Problem::Other(Fault::outside(what).reason(Reason::Engine)),
        }
    }
}

impl Transaction<'_> {
    /// # Errors
    /// As [`Postgres::query`].
    pub fn query(&mut self, sql: &str, params: &[Param]) -> Result<Vec<Row>> {
        self.postgres.run(self.client, sql, params, self.limit).map_err(Problem::fault)
    }

    /// # Errors
    /// As [`Postgres::query`].
    pub fn execute(&mut self, sql: &str, params: &[Param]) -> Result<u64> {
        self.postgres.change(self.client, sql, params, self.limit).map_err(Problem::fault)
    }

    /// Several statements without parameters.
    ///
    /// # Errors
    /// As [`Postgres::query`].
    pub fn script(&mut self, sql: &str) -> Result<()> {
        self.postgres.batch(self.client, sql, self.limit).map_err(Problem::fault)
    }
}

impl Problem {
    fn fault(self) -> Fault {
        match self {
            Self::Broken(fault) | Self::Other(fault) => fault,
        }
    }
}

fn newer(version: u32, own: u32) -> Fault {
    Fault::outside(format!(
        "the schema has version {version}, which is newer than this program's {own}"
    ))
    .hint("use the newer rag")
}

/// `host:port/database`, of each host.
fn place(config: &Config) -> String {
    let hosts = config.get_hosts().iter().map(|host| match host {
        tokio_postgres::config::Host::Tcp(name) => name.clone(),
        tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
    });
    let ports = config.get_ports();
    let port = |n: usize| ports.get(n).or(ports.first()).copied().unwrap_or(5432);
    let hosts: Vec<String> =
        hosts.enumerate().map(|(n, host)| format!("{host}:{}", port(n))).collect();
    format!("{}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
}

/// Trusts the given certificates, or those that the system trusts.
fn tls(settings: &Database) -> Result<ClientConfig> {
    // Fails when another part of the program did so before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    let pem = match &settings.ca_file {
        Some(path) => std::fs::read(path).map_err(|e| {
            Fault::usage(format!("ledger.ca_file {}: {}", path.display(), read_problem(&e)))
        })?,
        None => {
            SYSTEM_CERTIFICATES.iter().find_map(|path| std::fs::read(path).ok()).unwrap_or_default()
        }
    };
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
    if roots.is_empty()
        && let Some(path) = &settings.ca_file
    {
        let what = format!("ledger.ca_file {}: it has no certificate", path.display());
        return Err(Fault::usage(what));
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

fn borrowed(params: &[Param]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}

type Encoded = std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>>;

impl ToSql for Param {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Encoded {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Int(n) if *ty == Type::INT4 => i32::try_from(*n)?.to_sql(ty, out),
            Self::Int(n) => n.to_sql(ty, out),
            Self::Real(x) => x.to_sql(ty, out),
            Self::Flag(flag) => flag.to_sql(ty, out),
            Self::Json(json) => json.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn row(row: &tokio_postgres::Row) -> Row {
    let cell = |(n, column): (usize, &tokio_postgres::Column)| {
        let ty = column.type_();
        let found = match *ty {
            Type::INT8 => row.try_get::<_, Option<i64>>(n).map(|n| n.map(Cell::Int)),
            Type::INT4 => row.try_get::<_, Option<i32>>(n).map(|n| n.map(|n| Cell::Int(n.into()))),
            Type::FLOAT8 => row.try_get::<_, Option<f64>>(n).map(|x| x.map(Cell::Real)),
            Type::BOOL => row.try_get::<_, Option<bool>>(n).map(|flag| flag.map(Cell::Flag)),
            Type::JSON | Type::JSONB => {
                row.try_get::<_, Option<serde_json::Value>>(n).map(|json| json.map(Cell::Json))
            }
            _ => row.try_get::<_, Option<String>>(n).map(|text| text.map(Cell::Text)),
        };
        found.ok().flatten().unwrap_or(Cell::Null)
    };
    Row(row.columns().iter().enumerate().map(cell).collect())
}
