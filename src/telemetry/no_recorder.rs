//! The recorder of a build without the feature `telemetry`: it counts nothing.

use super::table::Metric;

pub fn install() {}

pub fn is_on() -> bool {
    false
}

pub fn render() -> String {
    String::new()
}

pub fn upkeep() {}

/// Resident bytes and processor seconds of this process; unknown here.
pub fn process() -> (Option<u64>, Option<f64>) {
    (None, None)
}

#[expect(clippy::unused_self, reason = "the interface of the recorder")]
impl Metric {
    pub(super) fn add(&'static self, _: &[&str], _: u64) {}

    pub(super) fn absolute(&'static self, _: &[&str], _: u64) {}

    pub(super) fn set(&'static self, _: &[&str], _: f64) {}

    pub(super) fn shift(&'static self, _: &[&str], _: f64) {}

    pub(super) fn observe(&'static self, _: &[&str], _: f64) {}
}
