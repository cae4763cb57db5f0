//! What a worker keeps between batches of the projects' configuration, so that the hot path does not read it again. Each
//! snapshot belongs to one routing version of its project, as PostgreSQL counts them; what it holds was read at that
//! version or later. It fills with what events ask for: a project of many endpoints costs no more than those in use.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use posthouse_jobs::EventTarget;
use posthouse_schema::{
    QueryError,
    delivery_target::{self, DeliveryTarget},
    ids::{EndpointId, ProjectId},
    pool::PooledConnection,
    project_config::{self, ProjectConfig},
    routing::{self, Wanted},
};

use super::{prepared::Prepared, routes::Routes};

/// Entries of one kind that are kept, such as projects or the endpoints of one; before there are more all are forgotten.
const KEPT_MAX: usize = 10_000;

/// A project as of one routing version, or later.
pub struct Snapshot {
    /// The version.
    pub version: i64,
    /// The project's settings.
    pub config: Arc<ProjectConfig>,
    /// What it holds may have changed.
    is_old: AtomicBool,
    routes: Mutex<HashMap<EventTarget, Arc<Routes>>>,
    /// Goes over to the next snapshot of the project.
    prepared: Arc<Prepared>,
    targets: Mutex<HashMap<EndpointId, Arc<DeliveryTarget>>>,
}

impl Snapshot {
    fn new(version: i64, config: ProjectConfig, prepared: Arc<Prepared>) -> Self {
        let (routes, targets) = (Mutex::default(), Mutex::default());
        Self { version, config: Arc::new(config), is_old: AtomicBool::new(false), routes, prepared, targets }
    }

    /// The routes to each of these targets, whatever the event's type.
    ///
    /// # Errors
    /// The database fails.
    pub async fn routes(
        &self,
        conn: &mut PooledConnection,
        project: ProjectId,
        targets: impl Iterator<Item = &EventTarget>,
    ) -> Result<HashMap<EventTarget, Arc<Routes>>, QueryError> {
        let mut found = HashMap::new();
        let mut missing = HashSet::new();
        {
            let kept = lock(&self.routes);
            for target in targets {
                match kept.get(target) {
                    Some(routes) => drop(found.insert(target.clone(), Arc::clone(routes))),
                    None => drop(missing.insert(target.clone())),
                }
            }
        }
        if !missing.is_empty() {
            let routes = self.prepared.of(routing::routes(conn, project, &wanted(&missing)).await?);
            let read = missing.into_iter().map(|target| {
                let routes = Arc::new(Routes::to(&target, &routes));
                (target, routes)
            });
            found.extend(read);
            keep(&self.routes, &found);
        }
        Ok(found)
    }

    /// What sending to each of these endpoints takes; without those that were deleted.
    ///
    /// # Errors
    /// The database fails.
    pub async fn targets(
        &self,
        conn: &mut PooledConnection,
        project: ProjectId,
        endpoints: impl Iterator<Item = EndpointId>,
    ) -> Result<HashMap<EndpointId, Arc<DeliveryTarget>>, QueryError> {
        let mut found = HashMap::new();
        let mut missing = HashSet::new();
        {
            let kept = lock(&self.targets);
            for endpoint in endpoints {
                match kept.get(&endpoint) {
                    Some(target) => drop(found.insert(endpoint, Arc::clone(target))),
                    None => drop(missing.insert((project, endpoint))),
                }
            }
        }
        if !missing.is_empty() {
            let read = delivery_target::load_targets(conn, &missing.into_iter().collect::<Vec<_>>()).await?;
            for target in &read {
                if let Some(why) = &target.locked {
                    tracing::error!(endpoint.id = %target.id, error = %why, "A secret of an endpoint cannot be read; its deliveries wait.");
                }
            }
            found.extend(read.into_iter().map(|target| (target.id, Arc::new(target))));
            keep(&self.targets, &found);
        }
        Ok(found)
    }
}

fn wanted(targets: &HashSet<EventTarget>) -> Wanted {
    let mut wanted = Wanted::default();
    for target in targets {
        match target {
            EventTarget::Single { endpoint_id } => wanted.endpoint_ids.push(*endpoint_id),
            EventTarget::Fanout { owner_id } => wanted.owner_ids.push(owner_id.clone()),
            EventTarget::Source { source_id } => wanted.source_ids.push(*source_id),
            EventTarget::Dynamic { subscription_id, .. } => wanted.subscription_ids.push(*subscription_id),
            EventTarget::Broadcast => wanted.is_everything = true,
        }
    }
    wanted
}

/// The snapshots of a worker. Cheap to clone.
#[derive(Clone, Default)]
pub struct Snapshots {
    projects: Arc<Mutex<HashMap<ProjectId, Arc<Snapshot>>>>,
}

impl Snapshots {
    /// Snapshots of these projects, each at the version given or later; without those that were deleted.
    ///
    /// # Errors
    /// The database fails.
    pub async fn of(
        &self,
        conn: &mut PooledConnection,
        wanted: &HashMap<ProjectId, i64>,
    ) -> Result<HashMap<ProjectId, Arc<Snapshot>>, QueryError> {
        let mut found = HashMap::new();
        {
            let kept = lock(&self.projects);
            for (project, version) in wanted {
                let is_new = |snapshot: &&Arc<Snapshot>| {
                    snapshot.version >= *version && !snapshot.is_old.load(Ordering::Relaxed)
                };
                if let Some(snapshot) = kept.get(project).filter(is_new) {
                    found.insert(*project, Arc::clone(snapshot));
                }
            }
        }
        let missing: Vec<ProjectId> = wanted.keys().filter(|project| !found.contains_key(*project)).copied().collect();
        if !missing.is_empty() {
            let read = project_config::load(conn, &missing).await?;
            let mut prepared: HashMap<_, _> = {
                // Those that were deleted are not read, and not kept either.
                let mut kept = lock(&self.projects);
                let taken = missing.iter().filter_map(|project| Some((*project, kept.remove(project)?)));
                taken.map(|(project, old)| (project, Arc::clone(&old.prepared))).collect()
            };
            let read = read.into_iter().map(|(project, (config, version))| {
                let prepared = prepared.remove(&project).unwrap_or_default();
                (project, Arc::new(Snapshot::new(version, config, prepared)))
            });
            let read = read.collect();
            keep(&self.projects, &read);
            found.extend(read);
        }
        Ok(found)
    }

    /// Reads these projects anew next time.
    pub fn forget(&self, projects: &[ProjectId]) {
        let kept = lock(&self.projects);
        for snapshot in projects.iter().filter_map(|project| kept.get(project)) {
            snapshot.is_old.store(true, Ordering::Relaxed);
        }
    }
}

/// Adds the entries, after forgetting all others where they would become too many.
fn keep<K: Clone + Eq + std::hash::Hash, V: Clone>(kept: &Mutex<HashMap<K, V>>, entries: &HashMap<K, V>) {
    let mut kept = lock(kept);
    if kept.len() + entries.len() > KEPT_MAX {
        kept.clear();
    }
    kept.extend(entries.iter().map(|(key, value)| (key.clone(), value.clone())));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
