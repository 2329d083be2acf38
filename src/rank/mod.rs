//! Rankings to one ranking. Pure: scores in, order out.

mod diversify;
mod fuse;
mod late;
#[cfg(test)]
mod tests;

pub use diversify::{Candidate, Place, one_per_place};
pub use fuse::{Fused, Fusion, fuse};
pub use late::{LATE_VERSION, blend, late_interaction};
