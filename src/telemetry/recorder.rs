//! The metrics recorder of the process. Renders Prometheus's text format.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock};

use metrics::{Key, KeyName, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use super::table::{self, Kind, METRICS, Metric, Values};
use crate::error::locked;

/// The most route templates that become labels. A router has a few dozen.
const MAX_ROUTES: usize = 128;
/// The label for a value that is not in the list.
const OTHER: &str = "other";

const ABOUT: Metadata<'static> = Metadata::new("rag", Level::INFO, None);

static RECORDER: OnceLock<Recording> = OnceLock::new();

struct Recording {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// Route templates seen so far.
    routes: Mutex<BTreeSet<&'static str>>,
}

/// Starts counting. Every series that is known in advance starts at 0, so that a rate or an alert
/// does not miss the first event. Idempotent.
pub fn install() {
    let recording = RECORDER.get_or_init(|| {
        let mut builder = PrometheusBuilder::new();
        for metric in METRICS {
            if let Kind::Histogram(buckets) = metric.kind {
                let matcher = Matcher::Full(metric.name.to_owned());
                // Only an empty list is an error, and a test excludes it.
                builder = builder.set_buckets_for_metric(matcher, buckets).unwrap_or_default();
            }
        }
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        Recording { recorder, handle, routes: Mutex::default() }
    });
    for metric in METRICS {
        recording.begin(metric);
    }
    metrics::with_local_recorder(&recording.recorder, || {
        metrics_process::Collector::default().describe();
    });
    table::BUILD_INFO.set(&[env!("CARGO_PKG_VERSION")], 1.0);
}

/// Whether metrics are counted.
pub fn is_on() -> bool {
    RECORDER.get().is_some()
}

/// All metrics in Prometheus's text format; empty when metrics are off.
pub fn render() -> String {
    let Some(recording) = RECORDER.get() else { return String::new() };
    metrics::with_local_recorder(&recording.recorder, || {
        metrics_process::Collector::default().collect();
    });
    recording.handle.render()
}

/// Moves samples into buckets. Samples wait in memory until this is called or metrics are rendered.
pub fn upkeep() {
    if let Some(recording) = RECORDER.get() {
        recording.handle.run_upkeep();
    }
}

/// Resident bytes and processor seconds of this process.
pub fn process() -> (Option<u64>, Option<f64>) {
    let process = metrics_process::collector::collect();
    (process.resident_memory_bytes, process.cpu_seconds_total)
}

impl Recording {
    fn begin(&self, metric: &'static Metric) {
        let (name, help) = (KeyName::from_const_str(metric.name), metric.help.into());
        match metric.kind {
            Kind::Counter => self.recorder.describe_counter(name, None, help),
            Kind::Gauge => self.recorder.describe_gauge(name, None, help),
            Kind::Histogram(_) => self.recorder.describe_histogram(name, None, help),
        }
        for labels in known(metric.labels) {
            let key = Key::from_parts(metric.name, labels);
            match metric.kind {
                Kind::Counter => drop(self.recorder.register_counter(&key, &ABOUT)),
                Kind::Gauge => drop(self.recorder.register_gauge(&key, &ABOUT)),
                Kind::Histogram(_) => drop(self.recorder.register_histogram(&key, &ABOUT)),
            }
        }
    }

    /// The label of a route template: `other` beyond the first [`MAX_ROUTES`].
    fn route(&self, template: &str) -> &'static str {
        let mut routes = locked(&self.routes);
        if let Some(known) = routes.get(template) {
            return known;
        }
        if routes.len() >= MAX_ROUTES {
            return OTHER;
        }
        let kept: &'static str = Box::leak(template.to_owned().into_boxed_str());
        routes.insert(kept);
        kept
    }

    fn key(&self, metric: &'static Metric, values: &[&str]) -> Key {
        debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
        let labels = metric.labels.iter().zip(values).map(|((label, allowed), value)| {
            let value = match allowed {
                Values::Of(list) => {
                    list.iter().find(|known| *known == value).copied().unwrap_or(OTHER)
                }
                Values::Routes => self.route(value),
            };
            Label::from_static_parts(label, value)
        });
        Key::from_parts(metric.name, labels.collect::<Vec<_>>())
    }
}

/// Every combination of labels with listed values; none if a label is a route.
fn known(labels: &'static [(&'static str, Values)]) -> Vec<Vec<Label>> {
    let mut combinations: Vec<Vec<Label>> = vec![Vec::new()];
    for (label, values) in labels {
        let Values::Of(values) = values else { return Vec::new() };
        let mut longer = Vec::new();
        for combination in &combinations {
            for value in *values {
                let label = Label::from_static_parts(label, value);
                longer.push([combination.as_slice(), &[label]].concat());
            }
        }
        combinations = longer;
    }
    combinations
}

impl Metric {
    /// Adds to a counter. `values` are in the order of the labels.
    pub(super) fn add(&'static self, values: &[&str], n: u64) {
        if let Some(recording) = RECORDER.get() {
            recording.recorder.register_counter(&recording.key(self, values), &ABOUT).increment(n);
        }
    }

    /// Sets a counter that is counted elsewhere.
    pub(super) fn absolute(&'static self, values: &[&str], n: u64) {
        if let Some(recording) = RECORDER.get() {
            recording.recorder.register_counter(&recording.key(self, values), &ABOUT).absolute(n);
        }
    }

    /// Sets a gauge.
    pub(super) fn set(&'static self, values: &[&str], value: f64) {
        if let Some(recording) = RECORDER.get() {
            recording.recorder.register_gauge(&recording.key(self, values), &ABOUT).set(value);
        }
    }

    /// Changes a gauge by a difference.
    pub(super) fn shift(&'static self, values: &[&str], by: f64) {
        if let Some(recording) = RECORDER.get() {
            recording.recorder.register_gauge(&recording.key(self, values), &ABOUT).increment(by);
        }
    }

    /// Adds a sample to a histogram.
    pub(super) fn observe(&'static self, values: &[&str], value: f64) {
        if let Some(recording) = RECORDER.get() {
            recording
                .recorder
                .register_histogram(&recording.key(self, values), &ABOUT)
                .record(value);
        }
    }
}
