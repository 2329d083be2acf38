//! The messages of a chat and the reply to them.

use crate::error::Reason;
use crate::strings::named;

named! {
    /// The author of a message.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ChatRole {
        System = "system",
        User = "user",
    }
}

/// One turn of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub role: ChatRole,
    pub content: String,
}

named! {
    /// Why a text ended.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Finish {
        /// The model ended it.
        Complete = "complete",
        /// The request's limit of tokens was reached.
        Length = "length",
        /// The caller stopped it.
        Interrupted = "interrupted",
        /// The caller cut it where it began to repeat itself.
        Repeating = "repeating",
        /// The server failed or withheld the rest; [`Reply::trouble`] has the cause.
        Broken = "broken",
    }
}

/// Token counts, as the server reports them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// Tokens of the prompt that were in the server's cache. `None` when it does not say.
    pub cached_tokens: Option<u64>,
}

/// The outcome of a call. The text is the model's, unchanged: the caller handles control
/// characters, and the `<think>...</think>` with which some models begin. It may be empty, for
/// example when all tokens went into reasoning that a server sends separately
/// (`reasoning_content`), which is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub text: String,
    pub finish: Finish,
    /// Why the text is [`Finish::Broken`]: one sentence.
    pub trouble: Option<String>,
    /// The same as a stable reason.
    pub reason: Option<Reason>,
    /// The model as the server names it, as one short line.
    pub model: String,
    pub usage: Option<Usage>,
    pub attempts: u32,
}
