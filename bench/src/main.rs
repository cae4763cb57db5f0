//! `posthouse-bench`: measures a Posthouse of its own, or one that runs.

mod board;
mod cases;
mod delivery;
mod disk;
mod egress;
mod gateway;
mod http;
mod ingest;
mod latency;
mod lists;
mod load;
mod pages;
mod parts;
mod payload;
mod processes;
mod progress;
mod queue;
mod redis_info;
mod secrets;
mod sink;
mod table;

use std::{io::Write as _, net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{cases::Scale, gateway::Gateway, load::Load, sink::Sink, table::Row};

const EXAMPLES: &str = "Examples:
  just bench                                  # everything, about nine minutes
  just bench --quick                          # the same in about a minute, coarser
  just bench --case one-endpoint --markdown
  just bench --case one-endpoint --traced     # what traces cost, beside the same without
  just bench-queue                            # what the queue promises, on a Redis of its own
  just bench-delivery                         # functions, filters, hanging endpoints, a wave of retries
  just bench-lists                            # pages of a large ledger, on a system of its own
  just bench-pages                            # pages of the dashboard with the same ledger
  just bench-board                            # the job board with a queue of 1,000,000 jobs
  just bench-egress                           # the egress proxy beside a plain relay
  just bench-ingest                           # messages of brokers into Redis
  posthouse-bench load --run-env .posthouse/run.env -n 5000 -k 4 --rate 100";

/// Measures what Posthouse costs and how quick it is. Use a release build and an otherwise quiet machine.
#[derive(Debug, Parser)]
#[command(name = "posthouse-bench", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Case {
    Bare,
    OneEndpoint,
    Parts,
    Steady,
    Fanout,
    Hanging,
    Refusing,
    Idle,
}

/// Of measurements that start what they measure.
#[derive(Debug, Args)]
struct Report {
    /// The table as Markdown.
    #[arg(long)]
    markdown: bool,
    /// Where data and logs are kept.
    #[arg(long, default_value = ".posthouse/bench")]
    folder: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the cases on a system of its own, and prints their table.
    Run {
        /// Only these cases.
        #[arg(long = "case", value_enum)]
        cases: Vec<Case>,
        /// With traces, to a collector that takes them all: beside the same without, what they cost.
        #[arg(long)]
        traced: bool,
        /// A tenth of everything.
        #[arg(long)]
        quick: bool,
        /// Exit code 1 when a figure falls short.
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        report: Report,
    },
    /// Sends a load to a system that runs, such as one of `just up --bare`.
    Load {
        /// The file that `just up` writes.
        #[arg(long, default_value = ".posthouse/run.env")]
        run_env: PathBuf,
        #[command(flatten)]
        load: Load,
    },
    /// What functions, filters, hanging endpoints and a wave of retries cost, on a system of its own.
    Delivery {
        /// Only these cases.
        #[arg(long = "case", value_enum)]
        cases: Vec<delivery::Case>,
        /// A tenth of everything.
        #[arg(long)]
        quick: bool,
        /// Exit code 1 when a figure falls short.
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        report: Report,
    },
    /// What the queue promises, on a Redis of its own.
    Queue {
        /// Jobs of the long runs.
        #[arg(long, default_value_t = 1_000_000)]
        jobs: u64,
        #[command(flatten)]
        report: Report,
    },
    /// How quickly a large ledger is listed, on a system of its own.
    Lists {
        /// Events in it; there are twice as many deliveries.
        #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
        events: u64,
        /// Exit code 1 when a figure falls short.
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        report: Report,
    },
    /// How quickly the dashboard's pages come with a large ledger, on a system of its own.
    Pages {
        /// Events in it; there are twice as many deliveries.
        #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
        events: u64,
        /// Exit code 1 when a figure falls short.
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        report: Report,
    },
    /// How quickly the job board and the dashboard's queues come with a long queue, on a system of its own.
    Board {
        /// Jobs in it.
        #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(250_000..=100_000_000))]
        jobs: u64,
        /// Exit code 1 when a figure falls short.
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        report: Report,
    },
    /// What the egress proxy costs beside a plain TCP relay.
    Egress {
        /// A tenth of everything.
        #[arg(long)]
        quick: bool,
        /// Exit code 1 when a figure falls short.
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        report: Report,
    },
    /// How many messages of brokers one instance of ingest brings into Redis on one core.
    Ingest {
        /// Only these brokers.
        #[arg(long = "case", value_enum)]
        cases: Vec<ingest::Case>,
        /// Messages of each.
        #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
        messages: u64,
        /// A tenth of them.
        #[arg(long)]
        quick: bool,
        /// Exit code 1 when a figure falls short.
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        report: Report,
    },
    /// What sealing and opening a secret costs.
    Secrets {
        #[command(flatten)]
        report: Report,
    },
    /// Another process of the egress measurement; started by it.
    #[command(hide = true)]
    EgressEnd {
        #[command(subcommand)]
        end: egress::End,
    },
    /// Receives and counts; started by the others.
    #[command(hide = true)]
    Sink {
        #[arg(long)]
        listen: SocketAddr,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    rustls::crypto::ring::default_provider().install_default().expect("nothing else has chosen a provider");
    match run(Arguments::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Sink { listen } => sink::serve(listen).await.map(|()| ExitCode::SUCCESS),
        Command::Queue { jobs, report } => report.tell(&queue::measure(&report.folder, jobs).await?, false),
        Command::Load { run_env, load } => {
            let (gateway, sink) = (Gateway::attach(&run_env)?, Sink::start().await?);
            one(&load::run(&gateway, &sink, &load, "load").await?).map(|()| ExitCode::SUCCESS)
        }
        Command::Run { cases, traced, quick, strict, report } => {
            std::fs::create_dir_all(&report.folder).context("make the folder")?;
            let scale = Scale { divisor: if quick { 10 } else { 1 } };
            let collector = if traced { Some(Sink::start().await?) } else { None };
            report.tell(&all(&cases, scale, &report.folder, collector.as_ref()).await?, strict)
        }
        Command::Delivery { cases, quick, strict, report } => {
            std::fs::create_dir_all(&report.folder).context("make the folder")?;
            let scale = Scale { divisor: if quick { 10 } else { 1 } };
            report.tell(&delivery::measure(&report.folder, &cases, scale).await?, strict)
        }
        Command::Secrets { report } => report.tell(&secrets::measure()?, false),
        Command::EgressEnd { end } => egress::run(end).await.map(|()| ExitCode::SUCCESS),
        Command::Egress { quick, strict, report } => {
            std::fs::create_dir_all(&report.folder).context("make the folder")?;
            let scale = Scale { divisor: if quick { 10 } else { 1 } };
            report.tell(&egress::measure(&report.folder, scale).await?, strict)
        }
        Command::Ingest { cases, messages, quick, strict, report } => {
            std::fs::create_dir_all(&report.folder).context("make the folder")?;
            let messages = if quick { messages / 10 } else { messages };
            report.tell(&ingest::measure(&report.folder, &cases, messages).await?, strict)
        }
        Command::Lists { events, strict, report } => {
            std::fs::create_dir_all(&report.folder).context("make the folder")?;
            report.tell(&lists::measure(&report.folder, events).await?, strict)
        }
        Command::Pages { events, strict, report } => {
            std::fs::create_dir_all(&report.folder).context("make the folder")?;
            report.tell(&pages::measure(&report.folder, events).await?, strict)
        }
        Command::Board { jobs, strict, report } => {
            std::fs::create_dir_all(&report.folder).context("make the folder")?;
            report.tell(&board::measure(&report.folder, jobs).await?, strict)
        }
    }
}

impl Report {
    /// Prints the figures; a strict exit code says whether one falls short.
    fn tell(&self, rows: &[Row], is_strict: bool) -> Result<ExitCode> {
        print(rows, self.markdown)?;
        let is_short = is_strict && rows.iter().any(Row::is_missed);
        Ok(if is_short { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

async fn all(only: &[Case], scale: Scale, folder: &std::path::Path, collector: Option<&Sink>) -> Result<Vec<Row>> {
    let wants = |case| only.is_empty() || only.contains(&case);
    let sink = Sink::start().await?;
    let mut rows = Vec::new();
    if wants(Case::Bare) {
        rows.extend(cases::bare(&sink, scale).await?);
    }
    if only == [Case::Bare] {
        return Ok(rows);
    }
    let mut gateway = Gateway::start_traced(folder, collector).await?;
    // In an order in which none leaves the next anything to do.
    for case in [Case::OneEndpoint, Case::Parts, Case::Fanout, Case::Steady, Case::Idle, Case::Refusing, Case::Hanging]
    {
        if case == Case::Parts && wants(case) && wants(Case::OneEndpoint) {
            // What is queued is measured on a system that has just started: what a load before left to the allocator is its
            // own matter, and stands with that load.
            gateway.stop().await?;
            gateway = Gateway::start_traced(folder, collector).await?;
        }
        if wants(case) {
            rows.extend(match case {
                Case::OneEndpoint => cases::one_endpoint(&gateway, &sink, scale).await?,
                Case::Parts => cases::parts(&gateway, &sink, scale).await?,
                Case::Fanout => cases::fanout(&gateway, &sink, scale).await?,
                Case::Steady => cases::steady(&gateway, &sink, scale, folder).await?,
                Case::Idle => cases::idle(&gateway, scale).await?,
                Case::Refusing => cases::refusing(&gateway, &sink, scale).await?,
                Case::Hanging => cases::hanging(&gateway, &sink, scale).await?,
                Case::Bare => bail!("the bare client needs no gateway"),
            });
        }
    }
    gateway.stop().await?;
    Ok(rows)
}

fn one(outcome: &load::Outcome) -> Result<()> {
    let latency = outcome.arrived.latency;
    let whole = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let mut rows = vec![
        Row::new("load", "accepted", whole(outcome.accepted), None),
        Row::new("", "refused", whole(outcome.refused), None),
        Row::new("", "deliveries expected", whole(outcome.expected), None),
        Row::new("", "deliveries", whole(outcome.arrived.unique), None),
        Row::new("", "deliveries per second", outcome.per_second, None),
        Row::new("", "CPU-ms per delivery", outcome.cpu_ms(None), None),
        Row::new("", "end to end p50, ms", latency.p50_ms, None),
        Row::new("", "end to end p90, ms", latency.p90_ms, None),
        Row::new("", "end to end p99, ms", latency.p99_ms, None),
        Row::new("", "end to end max, ms", latency.max_ms, None),
    ];
    let slowest = outcome.arrived.paths.values().map(|path| path.p99_ms).fold(0.0, f64::max);
    rows.push(Row::new("", "p99 of the slowest endpoint, ms", slowest, None));
    print(&rows, false)
}

fn print(rows: &[Row], as_markdown: bool) -> Result<()> {
    let text = if as_markdown { table::markdown(rows) } else { table::text(rows) };
    std::io::stdout().write_all(text.as_bytes()).context("print the table")
}
