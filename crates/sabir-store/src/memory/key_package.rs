//! Key packages and routes in the model.

use super::State;
use crate::{
    Freshness, KeyPackagePick, KeyPackageRow, MAX_KEY_PACKAGES_PER_DEVICE, PublishKeyPackages, Published,
    RecordRoutes, Route, TakeKeyPackages, TakenKeyPackage,
};

/// A package that was published; stays until its lifetime ends, so that no reference comes back.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) device: String,
    pub(super) row: KeyPackageRow,
    /// Handed out or evicted.
    pub(super) gone: bool,
}

#[derive(Debug)]
pub(super) struct Take {
    pub(super) answers: Vec<TakenKeyPackage>,
    pub(super) at: u64,
}

#[derive(Debug)]
pub(super) struct KeptRoute {
    pub(super) route: Route,
    pub(super) expires_at: u64,
}

impl State {
    pub(super) fn publish_key_packages(&mut self, command: PublishKeyPackages) -> Published {
        let PublishKeyPackages {
            device,
            user: _,
            packages,
        } = command;
        let mut published = Published::default();
        for row in packages {
            if row.not_after < row.published_at {
                published.stale = published.stale.saturating_add(1);
            } else if self.packages.contains_key(&row.reference) {
                published.known = published.known.saturating_add(1);
            } else {
                published.stored = published.stored.saturating_add(1);
                let route = KeptRoute {
                    route: Route::Device(device.clone()),
                    expires_at: row.not_after,
                };
                self.routes.insert(row.reference.clone(), route);
                let package = Package {
                    device: device.clone(),
                    row,
                    gone: false,
                };
                self.packages.insert(package.row.reference.clone(), package);
            }
        }
        let waiting = self
            .packages
            .values()
            .filter(|package| !package.gone && package.device == device)
            .count();
        for _ in MAX_KEY_PACKAGES_PER_DEVICE..waiting {
            if let Some(oldest) = self.oldest_mut(|package| package.device == device) {
                oldest.gone = true;
                published.evicted = published.evicted.saturating_add(1);
            }
        }
        published
    }

    pub(super) fn count_key_packages(&self, device: &str, fresh: Freshness) -> u64 {
        let usable =
            |package: &&Package| !package.gone && package.device == device && is_fresh(&package.row, fresh);
        self.packages.values().filter(usable).count() as u64
    }

    pub(super) fn count_key_packages_in(&self, device: &str, suite: u16, fresh: Freshness) -> u64 {
        let usable = |package: &&Package| {
            !package.gone
                && package.device == device
                && package.row.suite == suite
                && is_fresh(&package.row, fresh)
        };
        self.packages.values().filter(usable).count() as u64
    }

    pub(super) fn peek_key_package(
        &self,
        device: &str,
        suite: u16,
        fresh: Freshness,
    ) -> Option<KeyPackageRow> {
        self.packages
            .values()
            .filter(|package| !package.gone && package.device == device && package.row.suite == suite)
            .map(|package| &package.row)
            .filter(|row| is_fresh(row, fresh))
            .min_by_key(|row| (row.published_at, &row.reference))
            .cloned()
    }

    pub(super) fn take_key_packages(&mut self, command: TakeKeyPackages) -> Vec<TakenKeyPackage> {
        let TakeKeyPackages {
            request_key,
            picks,
            fresh,
            now,
        } = command;
        if let Some(take) = self.takes.get(&request_key) {
            return take.answers.clone();
        }
        let mut answers = Vec::new();
        for KeyPackagePick { device, suites } in picks {
            let package = suites
                .iter()
                .find_map(|suite| self.peek_key_package(&device, *suite, fresh));
            if let Some(taken) = package
                .as_ref()
                .and_then(|row| self.packages.get_mut(&row.reference))
            {
                taken.gone = true;
            }
            answers.push(TakenKeyPackage { device, package });
        }
        self.takes.insert(
            request_key,
            Take {
                answers: answers.clone(),
                at: now,
            },
        );
        answers
    }

    pub(super) fn record_routes(&mut self, command: RecordRoutes) {
        for row in command.routes {
            let local = matches!(self.routes.get(&row.reference), Some(kept) if matches!(kept.route, Route::Device(_)));
            if !local {
                let route = KeptRoute {
                    route: Route::Provider(row.provider),
                    expires_at: row.expires_at,
                };
                self.routes.insert(row.reference, route);
            }
        }
    }

    pub(super) fn route(&self, reference: &[u8]) -> Option<Route> {
        self.routes.get(reference).map(|kept| kept.route.clone())
    }

    fn oldest_mut(&mut self, of: impl Fn(&Package) -> bool) -> Option<&mut Package> {
        self.packages
            .values_mut()
            .filter(|package| !package.gone && of(package))
            .min_by_key(|package| (package.row.published_at, package.row.reference.clone()))
    }
}

fn is_fresh(row: &KeyPackageRow, fresh: Freshness) -> bool {
    row.not_after >= fresh.min_not_after && row.published_at >= fresh.published_since
}
