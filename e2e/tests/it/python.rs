//! What people outside use against us: the Python SDK that they have today, and a fuzzer that knows only the description of
//! the API. Both live in `.tools/python/`, where `./just test` puts them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use posthouse_e2e::{
    deployment::{Deployment, allow_port},
    ports,
};
use tokio::process::Command;

use crate::world::{World, ground, output};

const LIMIT: Duration = Duration::from_secs(420);

fn tool(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/python/bin").join(name);
    assert!(path.exists(), "{} is missing: `./just python-tools` installs it", path.display());
    path
}

#[tokio::test]
async fn the_python_sdk_drives_the_main_flow() {
    let mut ground = ground("it-sdk").await;
    let sink = ports::free().unwrap();
    ground.shared.egress_allow.push(allow_port(sink.port()));
    let deployment = Deployment::start(&ground.shared).await.unwrap();
    let mut command = Command::new(tool("python"));
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/sdk_flow.py"))
        .env("BASE_URI", format!("http://{}/api/v1/projects/{}", deployment.api, ground.tenant.project_id))
        .env("API_KEY", &ground.tenant.api_key)
        .env("SINK", sink.to_string());
    assert!(output(command, LIMIT).await.contains("The SDK's main flow works."));
    deployment.stop().await.unwrap();
    ground.stage.stop().await.unwrap();
}

/// No answer is a 5xx, or one that the description does not know.
#[tokio::test]
async fn the_description_holds_whatever_is_sent() {
    let world = World::start("it-fuzz").await;
    world.endpoint("a").await;
    let url = format!("http://{}", world.deployment.api);
    let mut command = Command::new(tool("schemathesis"));
    let notes = tempfile::tempdir().unwrap();
    command
        .current_dir(notes.path())
        .args([
            "run",
            &format!("{url}/openapi.json"),
            "--no-color",
            "--seed",
            "1",
            "--phases",
            "examples,coverage,fuzzing",
        ])
        .args(["--max-examples", "8", "--generation-database", "none", "--suppress-health-check", "all"])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        // Without its project nothing else would be found out.
        .args(["--exclude-operation-id", "DeleteProject"])
        .args(["--header", &format!("Authorization: Bearer {}", world.ground.tenant.api_key)]);
    let text = output(command, LIMIT).await;
    assert!(text.contains(" generated, "), "{text}");
    world.stop().await;
}
