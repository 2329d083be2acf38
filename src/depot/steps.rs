//! What the protocols over a depot are made of: one message and its reply at a time.
//!
//! The protocols are `async` functions over [`Steps`], which the compiler turns into state
//! machines without a clock, a thread or a connection. A [`Depot`] answers each step
//! before it returns, so [`now`] runs such a function to its end; tests answer late, in another
//! order or never, and run hundreds of machines at once.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::object::{Answer, Content, Object, Tag};
use super::{Depot, Swap};
use crate::error::{Fault, Result};

/// The steps. Times are those of the depot, except [`Steps::elapsed`].
#[expect(async_fn_in_trait, reason = "no protocol moves to another thread")]
pub trait Steps {
    async fn read(&self, key: &str) -> Result<Option<Content>>;
    async fn write(&self, key: &str, bytes: &[u8]) -> Result<()>;
    async fn put_if(&self, key: &str, expected: Option<&Tag>, bytes: &[u8]) -> Answer;
    async fn find(&self, key: &str) -> Result<Option<Object>>;
    async fn list(&self, prefix: &str) -> Result<Vec<Object>>;
    async fn delete(&self, key: &str) -> Result<()>;
    async fn pause(&self, time: Duration);

    /// The time since some moment, by the clock of this machine.
    fn elapsed(&self) -> Duration;

    /// The address, for messages.
    fn place(&self) -> &str;
}

/// Replaces the `expected` version of a small object, or creates it where `None` is expected.
///
/// A reply may get lost after the write, and a store may answer 409 to a write that it did. So
/// whenever the answer is not a plain success, the object is read: if it has these bytes, the write
/// happened.
///
/// # Errors
/// [`Kind::Outside`](crate::error::Kind::Outside) when it is unknown whether it was written.
pub async fn swap(
    steps: &impl Steps,
    key: &str,
    expected: Option<&Tag>,
    bytes: &[u8],
) -> Result<Swap> {
    const TRIES: u32 = 5;
    let mut pause = Duration::from_millis(20);
    for n in 1.. {
        let fault = match steps.put_if(key, expected, bytes).await {
            Answer::Written(tag) => return Ok(Swap::Done(tag)),
            Answer::Refused => None,
            Answer::Unknown(fault) => Some(fault),
        };
        let found = match steps.read(key).await {
            Ok(found) => found,
            Err(second) => return Err(fault.unwrap_or(second)),
        };
        match found {
            Some(found) if found.bytes == bytes => return Ok(Swap::Done(found.tag)),
            found if found.as_ref().map(|found| &found.tag) != expected => return Ok(Swap::Lost),
            // The expected version is still there: the write did not happen.
            _ if n < TRIES => {}
            _ => {
                return Err(fault.unwrap_or_else(|| {
                    Fault::outside(format!("{} refuses to replace {key}", steps.place()))
                }));
            }
        }
        steps.pause(pause).await;
        pause *= 2;
    }
    Ok(Swap::Lost)
}

/// Runs a protocol over steps that are answered at once.
pub fn now<T>(protocol: impl Future<Output = T>) -> T {
    let mut protocol = pin!(protocol);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = protocol.as_mut().poll(&mut context) {
            return value;
        }
    }
}

impl Steps for Depot {
    async fn read(&self, key: &str) -> Result<Option<Content>> {
        Self::read(self, key)
    }

    async fn write(&self, key: &str, bytes: &[u8]) -> Result<()> {
        Self::write(self, key, bytes)
    }

    async fn put_if(&self, key: &str, expected: Option<&Tag>, bytes: &[u8]) -> Answer {
        Self::put_if(self, key, expected, bytes)
    }

    async fn find(&self, key: &str) -> Result<Option<Object>> {
        Self::find(self, key)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        Self::list(self, prefix)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        Self::delete(self, key)
    }

    async fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn elapsed(&self) -> Duration {
        self.opened.elapsed()
    }

    fn place(&self) -> &str {
        self.url()
    }
}
