//! TLS to PostgreSQL, with a server of the tests' own that has a certificate for `localhost`.

use std::{fs, path::PathBuf};

use posthouse_e2e::services::{Authority, Certificates, Identity, Place, Postgres};
use posthouse_schema::{
    connect::connect,
    migrations, pool,
    server::{self, Server},
};
use serde_json::Value;

use crate::desk::{bare, run};

/// Who is let in how: `mutual` by certificate, `plain` without TLS, `hidden` with it, the rest as it likes.
const RULES: &str = "\
hostssl mutual all 127.0.0.1/32 password clientcert=verify-ca
hostssl mutual all ::1/128 password clientcert=verify-ca
hostnossl plain all all password
hostssl hidden all all password
host postgres all all password
";

struct World {
    postgres: Postgres,
    folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, logs) = (folder.path().join("data"), folder.path().join("logs"));
        for folder in [&data, &logs] {
            fs::create_dir(folder).unwrap();
        }
        let [ours, theirs] = ["ours", "theirs"].map(|name| Authority::new(name).unwrap());
        let Identity { certificate, key } = ours.signs(&["localhost"]).unwrap();
        let certificates = Certificates { certificate, key, client_authority: ours.pem() };
        let place = Place::new(&data, &logs).unwrap();
        let postgres = Postgres::start_encrypted(place, &certificates, RULES).await.unwrap();
        let world = Self { postgres, folder };
        world.write("ca.pem", &ours.pem());
        world.write("other-ca.pem", &theirs.pem());
        for (name, authority) in [("client", &ours), ("stranger", &theirs)] {
            let identity = authority.signs(&["posthouse"]).unwrap();
            world.write(&format!("{name}.pem"), &identity.certificate);
            world.write(&format!("{name}.key"), &identity.key);
        }
        for database in ["mutual", "plain", "hidden"] {
            world.postgres.create_database(database).await.unwrap();
        }
        world
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    /// `query` may name files by `{}/`.
    fn url(&self, host: &str, database: &str, query: &str) -> String {
        // `localhost` may have a second address, at which nobody listens.
        let (port, password) = (self.postgres.port(), self.postgres.password());
        let query = query.replace("{}", &self.folder.path().display().to_string());
        format!("postgres://postgres:{password}@{host}:{port}/{database}?hostaddr=127.0.0.1&{query}")
    }

    /// What the server says of the connection, or why there is none.
    async fn server(&self, host: &str, database: &str, query: &str) -> Result<Server, String> {
        let mut conn = connect(&self.url(host, database, query)).await.map_err(|error| error.to_string())?;
        server::describe(&mut conn).await.map_err(|error| error.to_string())
    }
}

#[tokio::test]
async fn sslmode_means_what_it_means_to_psql() {
    let world = World::start().await;
    let (right, wrong) = ("sslrootcert={}/ca.pem", "sslrootcert={}/other-ca.pem");
    // Whether it is encrypted, or which part the complaint must have.
    let cases = [
        ("localhost", "postgres", "sslmode=verify-full", right, Ok(true)),
        ("127.0.0.1", "postgres", "sslmode=verify-full", right, Err("not for the host")),
        ("localhost", "postgres", "sslmode=verify-full", wrong, Err("not issued by an authority of sslrootcert")),
        ("localhost", "postgres", "sslmode=verify-full", "sslrootcert=system", Err("not issued by an authority")),
        ("127.0.0.1", "postgres", "sslmode=verify-ca", right, Ok(true)),
        ("127.0.0.1", "postgres", "sslmode=verify-ca", wrong, Err("not issued by an authority of sslrootcert")),
        ("127.0.0.1", "postgres", "sslmode=require", "", Ok(true)),
        ("127.0.0.1", "postgres", "sslmode=require", wrong, Err("not issued by an authority of sslrootcert")),
        ("127.0.0.1", "postgres", "", "", Ok(true)),
        ("127.0.0.1", "postgres", "sslmode=prefer", wrong, Ok(false)),
        ("127.0.0.1", "postgres", "sslmode=allow", "", Ok(false)),
        ("127.0.0.1", "postgres", "sslmode=disable", "", Ok(false)),
        ("127.0.0.1", "plain", "sslmode=require", "", Err("no pg_hba.conf entry")),
        ("127.0.0.1", "plain", "sslmode=prefer", "", Ok(false)),
        ("127.0.0.1", "hidden", "sslmode=disable", "", Err("no pg_hba.conf entry")),
        ("127.0.0.1", "hidden", "sslmode=allow", "", Ok(true)),
        ("localhost", "postgres", "sslmode=verify-full", "sslrootcert={}/absent.pem", Err("absent.pem cannot be read")),
        ("localhost", "postgres", "sslmode=verify-full", "sslrootcert={}/client.key", Err("no certificate in PEM")),
    ];
    for (host, database, mode, root, expected) in cases {
        let found = world.server(host, database, &format!("{mode}&{root}")).await;
        let is_encrypted = found.as_ref().map(|server| server.tls_version.is_some());
        match (is_encrypted, expected) {
            (Ok(is), Ok(expected)) => assert_eq!(is, expected, "{host} {database} {mode} {root}"),
            (Err(complaint), Err(part)) => {
                assert!(complaint.contains(part), "{host} {database} {mode} {root}: {complaint}");
                assert!(!complaint.contains(world.postgres.password()), "{complaint}");
            }
            _ => panic!("{host} {database} {mode} {root}: {found:?}, not {expected:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_certificate_lets_in_whoever_has_the_right_one() {
    let world = World::start().await;
    let mutual = async |identity: &str| {
        let query = format!("sslmode=verify-full&sslrootcert={{}}/ca.pem&{identity}");
        world.server("localhost", "mutual", &query).await
    };
    let version = mutual("sslcert={}/client.pem&sslkey={}/client.key").await.unwrap().tls_version;
    assert_eq!(version.as_deref(), Some("TLSv1.3"));
    for (identity, part) in [
        ("", "valid client certificate"),
        ("sslcert={}/stranger.pem&sslkey={}/stranger.key", "refuses our certificate"),
        ("sslcert={}/client.pem&sslkey={}/stranger.key", "cannot be used together"),
        ("sslcert={}/client.pem&sslkey={}/ca.pem", "holds no key in PEM"),
    ] {
        let complaint = mutual(identity).await.unwrap_err();
        assert!(complaint.contains(part), "{identity}: {complaint}");
    }
}

#[tokio::test]
async fn pools_migrations_and_the_tool_use_it_and_a_server_without_tls_is_refused() {
    let world = World::start().await;
    let url = world.url("localhost", "hidden", "sslmode=verify-full&sslrootcert={}/ca.pem");
    assert!(!migrations::run(&url).await.unwrap().is_empty());
    let pool = pool::build(&url, 2, pool::Purpose::Lookups).unwrap();
    pool::ping(&pool).await.unwrap();
    let doctor = run(bare(&["doctor", "--json", "--database-url", &url]), "").await;
    let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "postgres-encryption");
    assert_eq!(check.unwrap()["detail"], "connections are encrypted (TLSv1.3)");
    let misnamed = world.url("127.0.0.1", "hidden", "sslmode=verify-full&sslrootcert={}/ca.pem");
    let complaint = run(bare(&["audit", "--database-url", &misnamed]), "").await;
    let complaint = String::from_utf8(complaint.stderr).unwrap();
    assert!(complaint.contains("not for the host") && complaint.contains("sslmode=verify-full"), "{complaint}");
    let plain = posthouse_schema::testing::TestDatabase::create_empty().await;
    assert!(connect(plain.url()).await.is_ok());
    let Err(error) = connect(&format!("{}?sslmode=require", plain.url())).await else { panic!("it went without") };
    assert!(error.to_string().contains("offers no TLS"), "{error}");
}
