//! What a shell and its user get without any service: completions, help, and what is asked wrongly.

use crate::desk::{bare, run};

#[tokio::test]
async fn completions_know_the_commands_in_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(bare(&["completions", shell]), "").await;
        let script = String::from_utf8(output.stdout).unwrap();
        for word in ["doctor", "replay", "idempotency-key"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
    assert_eq!(run(bare(&["completions", "cmd"]), "").await.status.code(), Some(2));
}

#[tokio::test]
async fn help_shows_examples_and_no_service_is_needed_for_it() {
    for command in ["send", "tail", "retry", "replay", "doctor", "listen", "login", "endpoint"] {
        let output = run(bare(&[command, "--help"]), "").await;
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains("Examples:\n  "), "{command}: {help}");
        assert!(help.contains("--json"), "{command}");
    }
}

#[tokio::test]
async fn a_key_in_the_environment_is_not_in_the_help() {
    let mut command = bare(&["send", "--help"]);
    command.env("POSTHOUSE_API_KEY", "CO.hunter2").env("POSTHOUSE_DATABASE_URL", "postgres://u:hunter2@h/d");
    let output = run(command, "").await;
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("POSTHOUSE_API_KEY") && !help.contains("hunter2"), "{help}");
}

#[tokio::test]
async fn a_command_that_needs_the_database_says_so() {
    let output = run(bare(&["audit"]), "").await;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--database-url"), "{output:?}");
}
