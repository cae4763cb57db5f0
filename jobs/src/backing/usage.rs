//! How the pool of connections to PostgreSQL is used, told at each scrape.

use std::fmt;

use posthouse_schema::pool::Pool;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// The use of this pool.
#[derive(Debug)]
pub(super) struct DatabaseUsage(pub(super) Pool);

impl Collector for DatabaseUsage {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let usage = self.0.usage();
        for (name, help, value) in [
            ("database_pool_max", "Most connections to PostgreSQL", usage.max),
            ("database_pool_open", "Open connections to PostgreSQL", usage.open),
            ("database_pool_idle", "Open connections to PostgreSQL that nobody uses", usage.idle),
            ("database_pool_waiting", "Callers that wait for a connection to PostgreSQL", usage.waiting),
        ] {
            write(&mut encoder, (name, help), &ConstGauge::new(u64::try_from(value).unwrap_or(u64::MAX)))?;
        }
        for (name, help, value) in [
            ("database_pool_checkouts", "Connections to PostgreSQL that were lent", usage.checkouts),
            ("database_pool_failures", "Callers that got no connection to PostgreSQL", usage.failed_checkouts),
            ("database_statements", "Statements that PostgreSQL was given", usage.statements),
            (
                "database_statement_failures",
                "Statements that failed, but for what the rows hold",
                usage.failed_statements,
            ),
        ] {
            write(&mut encoder, (name, help), &ConstCounter::new(value))?;
        }
        let waited = ConstCounter::new(usage.waited.as_secs_f64());
        write(
            &mut encoder,
            ("database_pool_wait_seconds", "Time that callers waited for connections to PostgreSQL"),
            &waited,
        )
    }
}

fn write(encoder: &mut DescriptorEncoder<'_>, (name, help): (&str, &str), metric: &impl EncodeMetric) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}
