//! Hints from one server to the others: something has changed, look now.
//!
//! They travel by publish and subscribe, which keeps nothing: a hint may be lost, late or doubled.
//! So it carries no data, and a follower of hints also looks from time to time without one.

/// What to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// A pointer in the depot was replaced or removed.
    Depot,
    /// Rows of the shared cache were purged.
    Cache,
    /// Access tokens were added or revoked.
    Tokens,
}

impl Hint {
    pub const ALL: [Self; 3] = [Self::Depot, Self::Cache, Self::Tokens];

    pub fn name(self) -> &'static str {
        match self {
            Self::Depot => "depot",
            Self::Cache => "cache",
            Self::Tokens => "tokens",
        }
    }
}
