//! A bucket of a store that speaks the S3 protocol.
//!
//! The client is asynchronous and has a runtime of its own here. A caller waits for a channel
//! instead of entering the runtime, so that threads of another runtime may call too.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path as Key;
use object_store::{
    BackoffConfig, Certificate, ClientOptions, Error, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutMode, PutPayload, RetryConfig, UpdateVersion, WriteMultipart,
};
use tokio::runtime::{Builder, Runtime};
use tokio_stream::StreamExt as _;

use super::object::{Answer, Content, Object, SMALL_BYTES, Tag};
use crate::config::DepotPlace;
use crate::disk;
use crate::error::{Context as _, Fault, Reason, Result};
use crate::http;

/// How often a wait reads its `stop` function.
const POLL: Duration = Duration::from_millis(50);

/// The longest silence of a store while a large object is copied.
const SILENCE: Duration = Duration::from_secs(60);

/// Larger files are sent in parts of this size. A store accepts 10,000 parts, so that the largest
/// file has 156 GiB.
const PART_BYTES: usize = 16 << 20;

/// Parts that are sent at the same time: memory is bounded by it.
const PARTS_AT_ONCE: usize = 4;

/// A bucket, and the prefix of all keys in it.
pub struct Bucket {
    url: String,
    prefix: Key,
    /// For small objects: every request ends soon.
    quick: Arc<AmazonS3>,
    /// For large objects: a request may take long, but not be silent for long.
    patient: Arc<AmazonS3>,
    /// `None` in `drop` only.
    runtime: Option<Runtime>,
    /// The last conditional write has a version.
    is_versioned: AtomicBool,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bucket({})", self.url)
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropping the runtime would wait for a name lookup that hangs.
            runtime.shutdown_background();
        }
    }
}

type Done<T> = Result<T, Error>;

impl Bucket {
    /// # Errors
    /// A usage fault for settings that do not fit together.
    pub fn open(place: &DepotPlace) -> Result<Self> {
        http::choose_cryptography();
        let address = place.url.trim_start_matches("s3://");
        let (bucket, prefix) = address.split_once('/').unwrap_or((address, ""));
        let quick = ClientOptions::new().with_timeout(place.timeout);
        let patient = ClientOptions::new().with_timeout_disabled().with_read_timeout(SILENCE);
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("bucket")
            .enable_all()
            .build()
            .or_failed(|| "cannot set up the client of the bucket".into())?;
        Ok(Self {
            url: place.url.clone(),
            prefix: Key::from(prefix),
            quick: Arc::new(client(place, bucket, quick)?),
            patient: Arc::new(client(place, bucket, patient)?),
            runtime: Some(runtime),
            is_versioned: AtomicBool::new(false),
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    fn key(&self, key: &str) -> Key {
        key.split('/').filter(|part| !part.is_empty()).fold(self.prefix.clone(), Key::join)
    }

    /// Runs `work` on the runtime, and waits for it until `stop` returns true.
    fn run<T: Send + 'static>(
        &self,
        stop: &dyn Fn() -> bool,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let lost = || Fault::failed("the client of the bucket has stopped");
        let Some(runtime) = &self.runtime else { return Err(lost()) };
        let (sender, receiver) = sync_channel(1);
        let task = runtime.spawn(async move {
            let _ = sender.send(work.await);
        });
        loop {
            match receiver.recv_timeout(POLL) {
                Ok(done) => return Ok(done),
                Err(RecvTimeoutError::Timeout) if stop() => {
                    task.abort();
                    return Err(Fault::interrupted());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(lost()),
            }
        }
    }

    fn small<T: Send + 'static>(
        &self,
        work: impl Future<Output = Done<T>> + Send + 'static,
    ) -> Result<Done<T>> {
        self.run(&|| false, work)
    }

    pub fn read(&self, key: &str) -> Result<Option<Content>> {
        let (client, at) = (Arc::clone(&self.quick), self.key(key));
        let read = self.small(async move {
            let found = client.get(&at).await?;
            let (size, tag) = (found.meta.size, found.meta.e_tag.clone());
            match size <= SMALL_BYTES {
                true => Ok((found.bytes().await?.to_vec(), tag)),
                false => Ok((Vec::new(), None)),
            }
        })?;
        match self.if_found(read, "read", key)? {
            None => Ok(None),
            Some((bytes, Some(tag))) => Ok(Some(Content { bytes, tag: Tag(tag) })),
            Some(_) => Err(Fault::outside(format!(
                "{}/{key} is too large, or the store gives it no ETag",
                self.url
            ))),
        }
    }

    pub fn write(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let (client, at) = (Arc::clone(&self.quick), self.key(key));
        let payload = PutPayload::from(bytes.to_vec());
        let written = self.small(async move { client.put(&at, payload).await })?;
        written.map(drop).map_err(|e| self.fault("write", key, e))
    }

    pub fn put_if(&self, key: &str, expected: Option<&Tag>, bytes: &[u8]) -> Answer {
        let (client, at) = (Arc::clone(&self.quick), self.key(key));
        let payload = PutPayload::from(bytes.to_vec());
        let mode = match expected {
            None => PutMode::Create,
            Some(Tag(tag)) => {
                PutMode::Update(UpdateVersion { e_tag: Some(tag.clone()), version: None })
            }
        };
        let put = self.small(async move { client.put_opts(&at, payload, mode.into()).await });
        match put {
            Err(fault) => Answer::Unknown(fault),
            Ok(Ok(written)) => match written.e_tag {
                Some(tag) => {
                    self.is_versioned.store(written.version.is_some(), Ordering::Relaxed);
                    Answer::Written(Tag(tag))
                }
                None => Answer::Unknown(Fault::outside(format!(
                    "{} gives no ETag to what is written",
                    self.url
                ))),
            },
            Ok(Err(Error::AlreadyExists { .. } | Error::Precondition { .. })) => Answer::Refused,
            Ok(Err(e)) => Answer::Unknown(self.fault("write", key, e)),
        }
    }

    pub fn find(&self, key: &str) -> Result<Option<Object>> {
        let (client, at) = (Arc::clone(&self.quick), self.key(key));
        let found = self.small(async move { client.head(&at).await })?;
        let found = self.if_found(found, "read", key)?;
        Ok(found.map(|found| object(key.to_owned(), &found)))
    }

    pub fn upload(&self, key: &str, file: &Path, stop: &dyn Fn() -> bool) -> Result<()> {
        let mut open = File::open(file).or_cannot("read", file)?;
        let size = open.metadata().or_cannot("read", file)?.len();
        let (client, at) = (Arc::clone(&self.patient), self.key(key));
        if size <= PART_BYTES as u64 {
            let mut bytes = Vec::new();
            open.read_to_end(&mut bytes).or_cannot("read", file)?;
            let put =
                self.run(
                    stop,
                    async move { client.put(&at, PutPayload::from(bytes)).await.map(drop) },
                )?;
            return put.map_err(|e| self.fault("write", key, e));
        }
        let sent = self.run(stop, async move { send_parts(&client, &at, open).await })?;
        sent.or_cannot("read", file)?.map_err(|e| self.fault("write", key, e))
    }

    /// Whether there is such an object. More than `most_bytes` are not stored.
    pub fn download(
        &self,
        key: &str,
        target: &Path,
        most_bytes: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let (client, at) = (Arc::clone(&self.patient), self.key(key));
        let out = disk::create_file(target)?;
        let copied = self.run(stop, async move { copy(&client, &at, out, most_bytes).await })?;
        let copied = copied.or_cannot("write", target)?;
        Ok(self.if_found(copied, "read", key)?.is_some())
    }

    pub fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        let (client, at) = (Arc::clone(&self.quick), self.key(prefix));
        let listed = self.run(&|| false, async move {
            let mut found = client.list(Some(&at));
            let mut metas = Vec::new();
            while let Some(meta) = found.next().await {
                metas.push(meta?);
            }
            Ok(metas)
        })?;
        let metas = self.if_found(listed, "list", prefix)?.unwrap_or_default();
        let above = format!("{}/", self.prefix);
        let name = |meta: &ObjectMeta| {
            let key = meta.location.as_ref();
            key.strip_prefix(above.trim_start_matches('/')).unwrap_or(key).to_owned()
        };
        let mut objects: Vec<Object> = metas.iter().map(|meta| object(name(meta), meta)).collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    pub fn is_versioned(&self) -> bool {
        self.is_versioned.load(Ordering::Relaxed)
    }

    pub fn delete(&self, key: &str) -> Result<()> {
        let (client, at) = (Arc::clone(&self.quick), self.key(key));
        let deleted = self.small(async move { client.delete(&at).await })?;
        self.if_found(deleted, "delete", key).map(drop)
    }

    /// The value; `None` when there is no such object. A missing bucket is a fault: it must not
    /// look like an empty one.
    fn if_found<T>(&self, done: Done<T>, what: &str, key: &str) -> Result<Option<T>> {
        match done {
            Ok(value) => Ok(Some(value)),
            Err(e @ Error::NotFound { .. }) if is_no_bucket(&e) => Err(self.fault(what, key, e)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.fault(what, key, e)),
        }
    }

    fn fault(&self, what: &str, key: &str, error: Error) -> Fault {
        let hint = match &error {
            Error::Unauthenticated { .. } | Error::PermissionDenied { .. } => {
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE and the policy of the \
                 bucket"
            }
            e if is_no_bucket(e) => "create the bucket, or correct `depot.url`",
            _ => "check `depot.endpoint` and the network; `rag doctor` tries it",
        };
        let key = key.trim_end_matches('/');
        let fault = Fault::outside(format!("cannot {what} {}/{key}", self.url));
        fault.reason(Reason::Engine).because(error).hint(hint)
    }
}

fn is_no_bucket(error: &Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("NoSuchBucket") {
            return true;
        }
        cause = error.source();
    }
    false
}

fn object(key: String, found: &ObjectMeta) -> Object {
    Object { key, bytes: found.size, modified_ms: found.last_modified.timestamp_millis() }
}

fn client(place: &DepotPlace, bucket: &str, options: ClientOptions) -> Result<AmazonS3> {
    let refused = |e: Error| Fault::usage(format!("{} cannot be used", place.url)).because(e);
    let mut options = options.with_connect_timeout(place.timeout);
    if place.endpoint.starts_with("http://") {
        // Reading the system's certificates takes time, and fails where there are none.
        options = options.with_allow_http(true).with_no_system_certificates(true);
    }
    if let Some(path) = &place.ca_bundle {
        let unreadable = || format!("AWS_CA_BUNDLE: cannot read {}", path.display());
        let pem = std::fs::read(path).or_failed(unreadable)?;
        for certificate in Certificate::from_pem_bundle(&pem).map_err(refused)? {
            options = options.with_root_certificate(certificate);
        }
    }
    let is_key = |name: &str| name == "aws_access_key_id" || name.starts_with("aws_web_identity");
    if !place.endpoint.is_empty() && !place.aws.iter().any(|(name, _)| is_key(name)) {
        return Err(Fault::usage(format!("there are no credentials for {}", place.url))
            .hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"));
    }
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(1),
            base: 2.0,
        },
        max_retries: 2,
        retry_timeout: 2 * place.timeout,
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_virtual_hosted_style_request(!place.is_path_style)
        .with_client_options(options)
        .with_retry(retry);
    if !place.region.is_empty() {
        builder = builder.with_region(&place.region);
    }
    if !place.endpoint.is_empty() {
        builder = builder.with_endpoint(endpoint(place, bucket));
    }
    for (name, value) in &place.aws {
        let key: AmazonS3ConfigKey = name.parse().map_err(refused)?;
        builder = builder.with_config(key, value.expose());
    }
    builder.build().map_err(refused)
}

/// The client expects the name of the bucket in the endpoint where it is not in the path.
fn endpoint(place: &DepotPlace, bucket: &str) -> String {
    match place.endpoint.split_once("://") {
        Some((scheme, host)) if !place.is_path_style => format!("{scheme}://{bucket}.{host}"),
        _ => place.endpoint.clone(),
    }
}

/// Sends a file in parts. An upload that fails leaves nothing that can be read.
async fn send_parts(client: &AmazonS3, at: &Key, mut file: File) -> std::io::Result<Done<()>> {
    let upload = match client.put_multipart(at).await {
        Ok(upload) => upload,
        Err(e) => return Ok(Err(e)),
    };
    let mut parts = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
    let mut piece = vec![0; disk::BLOCK_BYTES];
    loop {
        let n = match file.read(&mut piece) {
            Ok(n) => n,
            Err(e) => {
                let _ = parts.abort().await;
                return Err(e);
            }
        };
        if n == 0 {
            return Ok(parts.finish().await.map(drop));
        }
        if let Err(e) = parts.wait_for_capacity(PARTS_AT_ONCE).await {
            let _ = parts.abort().await;
            return Ok(Err(e));
        }
        parts.write(&piece[..n]);
    }
}

async fn copy(
    client: &AmazonS3,
    at: &Key,
    mut out: File,
    most_bytes: u64,
) -> std::io::Result<Done<()>> {
    let found = match client.get(at).await {
        Ok(found) => found,
        Err(e) => return Ok(Err(e)),
    };
    let mut stream = found.into_stream();
    let mut stored = 0;
    while let Some(piece) = stream.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(e) => return Ok(Err(e)),
        };
        stored += piece.len() as u64;
        if stored > most_bytes {
            break;
        }
        out.write_all(&piece)?;
    }
    Ok(Ok(()))
}
