//! `posthouse-demo`: the demo, a system to work with, and services for tests. Runs on one thread: the system ties each
//! child's life to the thread that started it, and this one lasts to the end.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use posthouse_e2e::{
    chaos, contract,
    demo::{self, Ended, Options},
    folder::RunFolder,
    network, partition, rolling,
    services::{Durability, Program, install_missing},
    signals,
    stage::Given,
    test_run,
};

const CHAOS_EXAMPLES: &str = "Examples:
  just chaos                                # 50,000 events in about three minutes
  just chaos --seed 4711                    # the same faults again
  just chaos --events 5000 --seconds 60";

const ROLLING_EXAMPLES: &str = "Examples:
  just rolling                              # 300 events a second
  just rolling --rate 100 --steady 5";

const PARTITION_EXAMPLES: &str = "Examples:
  just partition                            # 50 events a second, every cut for 30 s
  just partition --seconds 10
It needs root, and the commands unshare (util-linux) and ip (iproute2).";

/// Runs a whole Posthouse on this machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where data, logs and run.env are kept.
    #[arg(long, default_value = ".posthouse", global = true)]
    folder: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sends real events through every role, prints what became of them, and stops everything.
    Demo(Services),
    /// The same, and stays until Ctrl-C.
    Up {
        #[command(flatten)]
        services: Services,
        /// An empty project, no demo events, receivers on loopback allowed.
        #[arg(long)]
        bare: bool,
        /// This must be a release build, as `./just up --release` makes it.
        #[arg(long)]
        release: bool,
        /// Name of the project.
        #[arg(long, default_value = "demo")]
        project: String,
    },
    /// Installs PostgreSQL, Redis and Mosquitto where they are missing.
    Services,
    /// Sends events while every role is killed and every service restarted, and checks that nothing is lost.
    #[command(after_help = CHAOS_EXAMPLES)]
    Chaos {
        /// Events to send.
        #[arg(long, default_value_t = 50_000)]
        events: u64,
        /// Repeats the faults of an earlier run; it prints its seed.
        #[arg(long)]
        seed: Option<u64>,
        /// About how long the sending takes, in seconds.
        #[arg(long, default_value_t = 180)]
        seconds: u64,
    },
    /// Restarts every role under load, one instance after the other, and tells what callers noticed.
    #[command(after_help = ROLLING_EXAMPLES)]
    Rolling {
        /// Events sent in a second.
        #[arg(long, default_value_t = 300)]
        rate: u32,
        /// Seconds before the first restart, to compare with.
        #[arg(long, default_value_t = 15)]
        steady: u64,
    },
    /// Cuts hosts off from PostgreSQL and Redis under load, and checks that nothing is lost and all come back.
    #[command(after_help = PARTITION_EXAMPLES)]
    Partition {
        /// Events sent in a second.
        #[arg(long, default_value_t = 50)]
        rate: u32,
        /// Seconds for which some hosts are cut off at least, and then all.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// Replays recorded requests against a bare system; fails where an answer differs and no reason is on record.
    Contract {
        /// The document of known differences.
        #[arg(long, default_value = "docs/compatibility.md")]
        known: PathBuf,
        /// The replaying program and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Runs a command with a private PostgreSQL and Redis and counts the tests it reports.
    Stage {
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

#[derive(Debug, clap::Args)]
struct Services {
    /// A database to use instead of a private PostgreSQL.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// A Redis to use instead of a private one.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
}

impl Services {
    fn given(self) -> Given {
        let set = |url: Option<String>| url.filter(|url| !url.is_empty());
        Given { database_url: set(self.database_url), redis_url: set(self.redis_url) }
    }
}

/// The exit code of a program that was interrupted.
const INTERRUPTED: u8 = 130;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    rustls::crypto::ring::default_provider().install_default().expect("nothing else has chosen a provider");
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            use std::io::Write as _;
            drop(writeln!(std::io::stderr(), "error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(Arguments { folder, command }: Arguments) -> Result<ExitCode> {
    let interrupted = signals::interrupted().context("watch for signals")?;
    tokio::pin!(interrupted);
    let root = std::path::absolute(folder).context("resolve --folder")?;
    match command {
        Command::Up { services, bare, release, project } => {
            if release && cfg!(debug_assertions) {
                bail!("--release needs a release build: run `./just up --release`");
            }
            let options = Options { root, name: "up", project, is_bare: bare, stays: true, given: services.given() };
            demo::run(&options, interrupted).await.map(code_of)
        }
        Command::Demo(services) => {
            let options = Options {
                root,
                name: "demo",
                project: "demo".into(),
                is_bare: false,
                stays: false,
                given: services.given(),
            };
            demo::run(&options, interrupted).await.map(code_of)
        }
        Command::Services => {
            let install = async { install_missing(&Program::ALL, &mut |line| eprintln!("{line}")).await };
            unless(interrupted, async { install.await.map(|()| ExitCode::SUCCESS) }).await
        }
        Command::Chaos { events, seed, seconds } => {
            let options = chaos::Options {
                events,
                seed: seed.unwrap_or_else(rand::random),
                lasts: Duration::from_secs(seconds),
                durability: Durability::Full,
            };
            let mut say = |line: &str| eprintln!("{line}");
            unless(interrupted, async {
                install_missing(&[Program::POSTGRES, Program::REDIS], &mut |line| eprintln!("{line}")).await?;
                chaos::run(&root, "chaos", &options, &mut say).await.map(|_| ExitCode::SUCCESS)
            })
            .await
        }
        Command::Rolling { rate, steady } => {
            unless(interrupted, Box::pin(roll(&root, rate, Duration::from_secs(steady)))).await
        }
        Command::Partition { rate, seconds } => {
            unless(interrupted, Box::pin(part(&root, rate, Duration::from_secs(seconds)))).await
        }
        Command::Contract { known, command } => {
            unless(interrupted, async {
                install_missing(&[Program::POSTGRES, Program::REDIS], &mut |line| eprintln!("{line}")).await?;
                let agrees = Box::pin(contract::run(&root, &contract::Options { known, command })).await?;
                Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            })
            .await
        }
        Command::Stage { command } => {
            let folder = RunFolder::create(&root, "test")?;
            let code = unless(interrupted, async {
                let code = test_run::run(&folder, &command).await?;
                Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
            });
            code.await
        }
    }
}

/// Restarts every role under load, and prints what callers noticed.
async fn roll(root: &Path, rate: u32, steady: Duration) -> Result<ExitCode> {
    let mut say = |line: &str| eprintln!("{line}");
    install_missing(&[Program::POSTGRES, Program::REDIS], &mut |line| eprintln!("{line}")).await?;
    let options = rolling::Options { rate, steady, durability: Durability::Full };
    rolling::run(root, "rolling", &options, &mut say).await?;
    Ok(ExitCode::SUCCESS)
}

/// Cuts hosts off under load; in a network of its own, as which this program runs again.
async fn part(root: &Path, rate: u32, lasts: Duration) -> Result<ExitCode> {
    let mut say = |line: &str| eprintln!("{line}");
    if !network::is_inside() {
        install_missing(&[Program::POSTGRES, Program::REDIS], &mut |line| eprintln!("{line}")).await?;
        if let Some(why) = network::refusal().await {
            bail!("NOT RUN: {why}");
        }
        let mut inside = network::command(&std::env::current_exe().context("find the running program")?);
        let error = inside.args(std::env::args_os().skip(1)).as_std_mut().exec();
        return Err(error).context("run in a network of its own");
    }
    let options = partition::Options { rate, lasts, stall_max: Duration::ZERO, durability: Durability::Full };
    partition::run(root, "partition", &options, &mut say).await?;
    Ok(ExitCode::SUCCESS)
}

fn code_of(ended: Ended) -> ExitCode {
    match ended {
        Ended::Done => ExitCode::SUCCESS,
        Ended::Interrupted => ExitCode::from(INTERRUPTED),
    }
}

/// The work's result; an interruption drops the work, and with it everything that it started.
async fn unless(
    interrupted: impl Future<Output = ()>,
    work: impl Future<Output = Result<ExitCode>>,
) -> Result<ExitCode> {
    tokio::select! {
        result = work => result,
        () = interrupted => Ok(ExitCode::from(INTERRUPTED)),
    }
}
