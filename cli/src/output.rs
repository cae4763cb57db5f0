//! What a command says: answers on standard output, complaints on standard error.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the output of a command line tool")]

/// Prints an answer: JSON for machines, text for people.
pub fn answer(is_json: bool, json: &serde_json::Value, text: &str) {
    if is_json {
        println!("{json}");
    } else {
        println!("{text}");
    }
}

/// Prints why a command failed, with its causes.
pub fn complain(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}
