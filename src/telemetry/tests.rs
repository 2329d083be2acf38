//! The table of metrics follows Prometheus's conventions, and the rendered text follows the table.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

#[test]
fn names_follow_the_conventions() {
    // A count of things, a score and a rate name theirs.
    let units = ["_seconds", "_bytes", "_ratio", "_info", "_retrieved", "_score", "_per_second"];
    let mut names = BTreeSet::new();
    for metric in METRICS {
        let name = metric.name;
        assert!(names.insert(name), "{name} occurs twice");
        assert!(
            name.starts_with("rag_") && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{name}"
        );
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        assert!(metric.help.ends_with('.'), "{name}: {}", metric.help);
        if let Kind::Histogram(buckets) = metric.kind {
            assert!(units.iter().any(|unit| name.ends_with(unit)), "{name} names no unit");
            assert!(
                buckets.len() > 5 && buckets.windows(2).all(|pair| pair[0] < pair[1]),
                "{name}"
            );
        }
        for reserved in ["_sum", "_count", "_bucket"] {
            assert!(!name.ends_with(reserved), "{name}");
        }
        for (label, _) in metric.labels {
            assert!(!["le", "quantile", "job", "instance"].contains(label), "{name}: {label}");
        }
    }
}

/// The number of series is bounded, except by routes, of which there are a few dozen.
#[test]
fn labels_are_bounded() {
    for metric in METRICS {
        let size = |(_, values): &(&str, Values)| match values {
            Values::Of(values) => values.len() + 1,
            Values::Routes => 1,
        };
        let n: usize = metric.labels.iter().map(size).product();
        assert!(n <= 96, "{}: {n} series", metric.name);
    }
}

#[test]
fn events_are_rendered() {
    install();
    install();
    let stages =
        Stages { queue_ms: Some(1.0), search_ms: Some(3.0), total_ms: 250.0, ..Stages::default() };
    asked(&Asked {
        intent: "how-to",
        generator: "extractive",
        mode: "hybrid",
        supported: true,
        stages,
        features: &[Feature::Filter],
    });
    let before = render();
    embedded("query", 120, Duration::from_millis(10));
    let in_flight = InFlight::begin();
    served(&Served {
        route: "/sessions/{id}",
        method: "BREW",
        status: 418,
        elapsed: Duration::from_millis(7),
        received_bytes: 12,
        sent_bytes: 34,
    });
    failed("what did you ask?\nrag_fake 1");
    ingested(
        "succeeded",
        Some(Ingested { read: 3, chunks: 9, seconds: 2.0, ..Ingested::default() }),
    );
    expanded("acronym");
    cache_table("answers", &CacheTable { rows: 5, ..CacheTable::default() });
    ["hit", "miss", "miss", "miss", "damaged"]
        .into_iter()
        .for_each(|outcome| cache_operation("rerank", outcome));
    let shown = render();
    for line in [
        "rag_questions_total{intent=\"how-to\",generator=\"extractive\",supported=\"true\"} 1",
        "rag_questions_total{intent=\"list\",generator=\"llm\",supported=\"false\"} 0",
        "rag_stage_duration_seconds_bucket{stage=\"total\",le=\"0.25\"} 1",
        "rag_stage_duration_seconds_bucket{stage=\"total\",le=\"0.1\"} 0",
        "rag_features_used_total{feature=\"filter\"} 1",
        "rag_http_requests_total{route=\"/sessions/{id}\",method=\"other\",status=\"4xx\"} 1",
        "rag_http_response_body_bytes_total{route=\"/sessions/{id}\"} 34",
        "rag_errors_total{code=\"other\"} 1",
        "rag_ingest_chunks_total 9",
        "# TYPE rag_query_expansions_total counter",
        "rag_cache_rows{table=\"answers\"} 5",
        "rag_jobs{state=\"queued\"} 0",
        "# TYPE rag_http_requests_in_flight gauge",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "no line {line}\n{shown}");
    }
    drop(in_flight);
    // Other tests of this process count too.
    let value = |shown: &str, series: &str| -> f64 {
        let line = shown.lines().find_map(|line| line.strip_prefix(series)).unwrap_or("0");
        line.trim().parse().unwrap()
    };
    for (series, least) in [
        ("rag_model_tokens_total{role=\"query\"}", 120.0),
        ("rag_cache_operations_total{table=\"rerank\",outcome=\"miss\"}", 3.0),
        ("rag_query_expansions_total{kind=\"acronym\"}", 1.0),
    ] {
        assert!(value(&shown, series) - value(&before, series) >= least, "{series}\n{shown}");
    }
    let ratio = value(&shown, "rag_cache_hit_ratio{table=\"rerank\"}");
    assert!(ratio > 0.0 && ratio < 1.0, "{ratio}");
    for metric in METRICS {
        assert!(
            shown.contains(&format!("# HELP {} {}", metric.name, metric.help)),
            "{} is missing",
            metric.name
        );
    }
    assert!(
        shown.contains("process_resident_memory_bytes")
            && shown.contains("process_cpu_seconds_total")
    );
    assert!(!shown.contains("what did you ask"), "{shown}");
}
