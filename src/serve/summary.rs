//! The most important metrics as JSON, read from the text that Prometheus gets.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// Fewer events say nothing about a rate.
const MIN_EVENTS: f64 = 100.0;

/// Thresholds of [`health`]; those of `scripts/monitoring/alerts.yml` are the same.
const MIN_HIT_RATE: f64 = 0.7;
const MAX_ERROR_RATE: f64 = 0.05;
const MAX_P95_S: f64 = 5.0;

/// What the server has done since its start
#[derive(Debug, Serialize, ToSchema)]
pub struct Summary {
    uptime_s: u64,
    requests: Requests,
    questions: Questions,
    /// Hit rates of the look-ups of this process, by cache table
    cache: BTreeMap<String, Hits>,
    language_model: LanguageModel,
    process: Process,
}

/// Requests
#[derive(Debug, Serialize, ToSchema)]
struct Requests {
    total: u64,
    /// Of status 5xx
    failed: u64,
    in_flight: u64,
    connections: u64,
    websockets: u64,
}

/// Questions and searches
#[derive(Debug, Serialize, ToSchema)]
struct Questions {
    answered: u64,
    /// Of these, with a supported answer
    supported: u64,
    searches: u64,
    waiting: u64,
    /// Refused because the queue was full
    refused: u64,
    /// Median time of a question or a search in milliseconds; null before the first
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
}

/// Look-ups of a cache table
#[derive(Debug, Serialize, ToSchema)]
struct Hits {
    hits: u64,
    misses: u64,
    /// Null before the first look-up
    hit_rate: Option<f64>,
}

/// Calls of the language model
#[derive(Debug, Serialize, ToSchema)]
struct LanguageModel {
    calls: u64,
    failed: u64,
    completion_tokens: u64,
    /// Median; null before the first call
    tokens_per_second: Option<f64>,
}

/// The process
#[derive(Debug, Serialize, ToSchema)]
struct Process {
    memory_bytes: u64,
    cpu_s: f64,
    open_files: u64,
}

/// How the metrics compare with their thresholds
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricsHealth {
    /// ok or warning
    status: &'static str,
    checks: Vec<Check>,
}

/// A metric and its threshold
#[derive(Debug, Serialize, ToSchema)]
struct Check {
    /// `cache_hit_rate`, `error_rate`, `p95_s`, `queue` or `breaker`
    name: &'static str,
    /// ok, warning, or unknown before there are enough events
    status: &'static str,
    value: Option<f64>,
    threshold: f64,
}

/// Samples of metrics in the text format of Prometheus.
pub struct Samples<'a>(Vec<(&'a str, &'a str, f64)>);

impl<'a> Samples<'a> {
    pub fn parse(text: &'a str) -> Self {
        let sample = |line: &'a str| {
            let (name, value) = line.rsplit_once(' ')?;
            let (name, labels) = name.split_once('{').unwrap_or((name, ""));
            Some((name, labels.trim_end_matches('}'), value.parse().ok()?))
        };
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(lines.filter_map(sample).collect())
    }

    /// The sum of the series of a metric whose labels contain `label`.
    fn sum(&self, name: &str, label: &str) -> f64 {
        let is_meant = |sample: &&(&str, &str, f64)| sample.0 == name && sample.1.contains(label);
        self.0.iter().filter(is_meant).map(|sample| sample.2).sum()
    }

    fn count(&self, name: &str, label: &str) -> u64 {
        self.sum(name, label) as u64
    }

    /// A quantile of a histogram, interpolated within its bucket as Prometheus does.
    fn quantile(&self, name: &str, label: &str, q: f64) -> Option<f64> {
        let name = format!("{name}_bucket");
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for (_, labels, n) in self.0.iter().filter(|s| s.0 == name && s.1.contains(label)) {
            let (_, bound) = labels.split_once("le=\"")?;
            let bound = match bound.split('"').next()? {
                "+Inf" => f64::INFINITY,
                bound => bound.parse().ok()?,
            };
            match buckets.iter_mut().find(|(known, _)| *known == bound) {
                Some((_, sum)) => *sum += n,
                None => buckets.push((bound, *n)),
            }
        }
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total = buckets.last()?.1;
        let rank = q * total;
        let (mut below, mut lower) = (0.0, 0.0);
        for (bound, n) in buckets {
            if n >= rank && total > 0.0 {
                let is_last = bound.is_infinite();
                let share = if n > below { (rank - below) / (n - below) } else { 0.0 };
                return Some(if is_last { lower } else { lower + (bound - lower) * share });
            }
            (below, lower) = (n, bound);
        }
        None
    }

    fn hits(&self, table: &str) -> Hits {
        let of = |outcome: &str| {
            let name = "rag_cache_operations_total";
            let is_meant = |s: &&(&str, &str, f64)| {
                s.0 == name && s.1.contains(table) && s.1.contains(&format!("\"{outcome}\""))
            };
            self.0.iter().filter(is_meant).map(|sample| sample.2).sum::<f64>()
        };
        let (hits, misses) = (of("hit"), of("miss"));
        let n = hits + misses;
        Hits { hits: hits as u64, misses: misses as u64, hit_rate: (n > 0.0).then(|| hits / n) }
    }
}

const STAGES: &str = "rag_stage_duration_seconds";
const TOTAL: &str = "stage=\"total\"";

pub fn summary(samples: &Samples<'_>, uptime_s: u64) -> Summary {
    let ms = |q| samples.quantile(STAGES, TOTAL, q).map(|seconds| seconds * 1e3);
    let tables = ["embeddings", "retrieval", "rerank", "answers"];
    Summary {
        uptime_s,
        requests: Requests {
            total: samples.count("rag_http_requests_total", ""),
            failed: samples.count("rag_http_requests_total", "status=\"5xx\""),
            in_flight: samples.count("rag_http_requests_in_flight", ""),
            connections: samples.count("rag_http_connections", ""),
            websockets: samples.count("rag_websockets", ""),
        },
        questions: Questions {
            answered: samples.count("rag_questions_total", ""),
            supported: samples.count("rag_questions_total", "supported=\"true\""),
            searches: samples.count("rag_searches_total", ""),
            waiting: samples.count("rag_questions_waiting", ""),
            refused: samples.count("rag_questions_refused_total", ""),
            p50_ms: ms(0.5),
            p95_ms: ms(0.95),
        },
        cache: tables.iter().map(|name| ((*name).to_owned(), samples.hits(name))).collect(),
        language_model: LanguageModel {
            calls: samples.count("rag_llm_calls_total", ""),
            failed: samples.count("rag_llm_calls_total", "outcome=\"failed\""),
            completion_tokens: samples.count("rag_llm_tokens_total", "kind=\"completion\""),
            tokens_per_second: samples.quantile("rag_llm_tokens_per_second", "", 0.5),
        },
        process: Process {
            memory_bytes: samples.count("process_resident_memory_bytes", ""),
            cpu_s: samples.sum("process_cpu_seconds_total", ""),
            open_files: samples.count("process_open_fds", ""),
        },
    }
}

/// `queue` is the capacity of the queue of questions.
pub fn health(samples: &Samples<'_>, queue: usize) -> MetricsHealth {
    let retrieval = samples.hits("retrieval");
    let looked_up = (retrieval.hits + retrieval.misses) as f64;
    let requests = samples.sum("rag_http_requests_total", "");
    let failed = samples.sum("rag_http_requests_total", "status=\"5xx\"");
    let asked = samples.sum(&format!("{STAGES}_count"), TOTAL);
    let enough = |n: f64, value: Option<f64>| value.filter(|_| n >= MIN_EVENTS);
    let at_least = |name, value: Option<f64>, threshold| {
        check(name, value, threshold, value.is_none_or(|value| value >= threshold))
    };
    let at_most = |name, value: Option<f64>, threshold| {
        check(name, value, threshold, value.is_none_or(|value| value <= threshold))
    };
    let waiting = samples.sum("rag_questions_waiting", "");
    let checks = vec![
        at_least("cache_hit_rate", enough(looked_up, retrieval.hit_rate), MIN_HIT_RATE),
        at_most("error_rate", enough(requests, Some(failed / requests)), MAX_ERROR_RATE),
        at_most("p95_s", enough(asked, samples.quantile(STAGES, TOTAL, 0.95)), MAX_P95_S),
        at_most("queue", Some(waiting), queue as f64 * 0.8),
        at_most("breaker", Some(samples.sum("rag_breaker_open", "")), 0.0),
    ];
    let is_ok = checks.iter().all(|check| check.status != "warning");
    MetricsHealth { status: if is_ok { "ok" } else { "warning" }, checks }
}

fn check(name: &'static str, value: Option<f64>, threshold: f64, is_ok: bool) -> Check {
    let status = match value {
        None => "unknown",
        Some(_) if is_ok => "ok",
        Some(_) => "warning",
    };
    Check { name, status, value, threshold }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# TYPE rag_stage_duration_seconds histogram
rag_stage_duration_seconds_bucket{stage=\"total\",le=\"0.1\"} 50
rag_stage_duration_seconds_bucket{stage=\"total\",le=\"1\"} 90
rag_stage_duration_seconds_bucket{stage=\"total\",le=\"10\"} 200
rag_stage_duration_seconds_bucket{stage=\"total\",le=\"+Inf\"} 200
rag_stage_duration_seconds_count{stage=\"total\"} 200
rag_stage_duration_seconds_bucket{stage=\"queue\",le=\"+Inf\"} 7
rag_cache_operations_total{table=\"retrieval\",outcome=\"hit\"} 60
rag_cache_operations_total{table=\"retrieval\",outcome=\"miss\"} 40
rag_http_requests_total{route=\"/ask\",method=\"POST\",status=\"2xx\"} 95
rag_http_requests_total{route=\"/ask\",method=\"POST\",status=\"5xx\"} 1
rag_websockets 3
";

    #[test]
    fn quantiles_and_rates_are_those_of_the_samples() {
        let samples = Samples::parse(TEXT);
        assert_eq!(samples.quantile(STAGES, TOTAL, 0.25), Some(0.1));
        assert_eq!(samples.quantile(STAGES, TOTAL, 0.725), Some(5.5));
        assert_eq!(samples.quantile("rag_nothing", "", 0.5), None);
        let summary = summary(&samples, 7);
        assert_eq!((summary.requests.total, summary.requests.failed), (96, 1));
        assert_eq!(summary.cache["retrieval"].hit_rate, Some(0.6));
        assert_eq!(summary.cache["answers"].hit_rate, None);
        assert_eq!(summary.requests.websockets, 3);
        let health = health(&samples, 256);
        let statuses: Vec<&str> = health.checks.iter().map(|check| check.status).collect();
        assert_eq!(statuses, ["warning", "unknown", "warning", "ok", "ok"]);
        assert_eq!(health.status, "warning");
    }
}
