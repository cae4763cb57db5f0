//! What receivers in JavaScript verify deliveries with. The library lives in `.tools/node/`, where `./just test` puts it.

use std::{path::Path, time::Duration};

use posthouse_e2e::{
    deployment::{Deployment, allow_port},
    ports,
};
use tokio::process::Command;

use crate::world::{ground, output};

const LIMIT: Duration = Duration::from_secs(180);

#[tokio::test]
async fn deliveries_verify_in_javascript() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = folder.join("../.tools/node");
    assert!(tools.join("node_modules").exists(), "{} is missing: `./just node-tools` fills it", tools.display());
    let mut ground = ground("it-node").await;
    let sink = ports::free().unwrap();
    ground.shared.egress_allow.push(allow_port(sink.port()));
    let deployment = Deployment::start(&ground.shared).await.unwrap();
    let mut command = Command::new("node");
    command
        .arg(folder.join("node/verify.mjs"))
        .env("BASE_URI", format!("http://{}/api/v1/projects/{}", deployment.api, ground.tenant.project_id))
        .env("API_KEY", &ground.tenant.api_key)
        .env("SINK", sink.to_string())
        .env("TOOLS", tools);
    assert!(output(command, LIMIT).await.contains("Deliveries verify in JavaScript."));
    deployment.stop().await.unwrap();
    ground.stage.stop().await.unwrap();
}
