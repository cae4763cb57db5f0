//! `posthouse completions`: what a shell completes.

use std::{io::Write as _, process::ExitCode};

use clap::CommandFactory as _;
use clap_complete::Shell;

const EXAMPLES: &str = "Examples:
  posthouse completions bash > ~/.local/share/bash-completion/completions/posthouse
  posthouse completions zsh > ~/.zfunc/_posthouse
  posthouse completions fish > ~/.config/fish/completions/posthouse.fish";

/// Prints a script that has a shell complete commands and flags.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Completions {
    /// The shell.
    shell: Supported,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Supported {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    /// Runs the command.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let shell = match self.shell {
            Supported::Bash => Shell::Bash,
            Supported::Zsh => Shell::Zsh,
            Supported::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut crate::Cli::command(), "posthouse", &mut script);
        std::io::stdout().write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}
