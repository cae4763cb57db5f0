//! The dashboard in Debian's Chromium. What drives it lives in `.tools/browser/`, where `./just test` puts it; screenshots
//! go to `target/screenshots/`.

use std::{path::Path, time::Duration};

use posthouse_e2e::{
    database::Database,
    deployment::{Deployment, probe_client},
};
use serde_json::json;
use tokio::process::Command;

use crate::world::{ground, output};

const LIMIT: Duration = Duration::from_secs(400);
const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery staple";

#[tokio::test]
async fn the_dashboard_works_in_a_browser() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = folder.join("../.tools/browser");
    assert!(tools.join("node_modules").exists(), "{} is missing: `./just browser-tools` fills it", tools.display());
    let mut ground = ground("it-browser").await;
    // The built-in receiver is the API itself.
    ground.shared.egress_allow.push("127.0.0.1/32".into());
    let deployment = Deployment::start(&ground.shared).await.unwrap();
    let base = format!("http://{}", deployment.api);
    let person = json!({
        "first_name": "Ada", "last_name": "Byron", "email": EMAIL, "password": PASSWORD, "org_name": "Analytical Engines",
    });
    let registered = probe_client()
        .unwrap()
        .post(format!("{base}/ui/auth/register"))
        .header("content-type", "application/json")
        .body(person.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(registered.status(), 201);
    let database = Database::open(&ground.shared.database_url).await.unwrap();
    let found =
        database.client.query_one("SELECT id::text FROM projects WHERE name = 'it-browser'", &[]).await.unwrap();
    let history =
        include_str!("../../browser/history.sql").replace("{project}", found.get(0)).replace("{person}", EMAIL);
    database.client.batch_execute(&history).await.unwrap();
    database.close().await.unwrap();
    let mut command = Command::new("node");
    command
        .arg(folder.join("browser/run.mjs"))
        .env("BASE", base)
        .env("BOARD", format!("http://{}", deployment.board))
        .env("SINK", ground.receiver_address.to_string())
        .env("EMAIL", EMAIL)
        .env("PROJECT", &ground.tenant.project_id)
        .env("KEY", &ground.tenant.api_key)
        .env("PASSWORD", PASSWORD)
        .env("TOOLS", tools)
        .env("CHROMIUM", "/usr/bin/chromium")
        .env("SHOTS", folder.join("../target/screenshots"));
    assert!(output(command, LIMIT).await.contains("The pages work in a browser."));
    deployment.stop().await.unwrap();
    ground.stage.stop().await.unwrap();
}
