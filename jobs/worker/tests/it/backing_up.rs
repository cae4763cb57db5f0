//! The daily backup: every project's day, and old ones go.

use std::sync::Arc;

use apalis::prelude::Data;
use chrono::{Days, NaiveTime, Utc};
use posthouse_archive::{Store, days_of};
use posthouse_jobs::BackUp;
use posthouse_schema::ids::{EventId, ProjectId};
use posthouse_worker::handlers;

use crate::world::{World, config, direct};

#[tokio::test]
async fn each_project_is_backed_up_by_day_and_old_days_go() {
    let world = World::start(config(), direct(), None).await;
    let today = Utc::now().date_naive();
    let noon = |days: u64| (today - Days::new(days)).and_time(NaiveTime::from_hms_opt(12, 0, 0).unwrap()).and_utc();
    let mut conn = world.conn().await;
    for days in [0, 1, 2] {
        let insert = format!(
            "INSERT INTO events (project_id, id, event_type, target_kind, target, payload, status, acknowledged_at) \
             VALUES ('{:032x}', '{:032x}', 'a', 'broadcast', '', 'x', 'Failure', now())",
            world.project.to_bits(),
            EventId::first_at(noon(days)).to_bits()
        );
        diesel_async::RunQueryDsl::execute(diesel::sql_query(insert), &mut conn).await.unwrap();
    }
    let folder = std::env::temp_dir().join(format!("posthouse-{}", ProjectId::generate()));
    let place = folder.to_str().unwrap().to_string();
    let back_up = async |days: u64| {
        let job = BackUp { tick: noon(days).into(), place: place.clone(), keep_days: 2 };
        handlers::back_up(job, Data::new(Arc::clone(&world.context))).await
    };
    for days in [2, 1, 0, 0] {
        back_up(days).await.unwrap();
    }
    let of_project = Store::open(&place).unwrap().within(&world.project.to_string());
    assert_eq!(days_of(&of_project).await.unwrap(), [today - Days::new(2), today - Days::new(1)], "the third is gone");
    for days in [2, 1] {
        let day = today - Days::new(days);
        let manifest = of_project.within(&day.to_string()).manifest().await.unwrap().unwrap();
        assert!(manifest.completed_at.is_some());
        assert_eq!((manifest.totals.events, manifest.parts[0].first_id), (1, EventId::first_at(noon(days))));
    }
    // What cannot be written fails the job, so that it runs again.
    let broken = of_project.within(&(today - Days::new(4)).to_string());
    assert!(broken.manifest().await.unwrap().is_none());
    let inside = folder.join(world.project.to_string()).join((today - Days::new(4)).to_string());
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::write(inside.join("manifest.json"), "{}").unwrap();
    assert!(back_up(3).await.unwrap_err().to_string().contains("1 project(s) could not be backed up"));
    std::fs::remove_dir_all(&folder).unwrap();
    world.stop().await;
}
