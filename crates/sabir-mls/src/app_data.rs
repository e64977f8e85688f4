//! The list rules of AppDataUpdate, in one place for builder, receiving client and hub.
//!
//! The library resolves and authenticates proposals but does not enforce which lists of AppDataUpdate are
//! valid (draft-ietf-mls-extensions §4.7). [`fold`] does, and hands each component's updates, in the order of
//! the commit, to the application's [`ComponentRules`], which alone know what an update means.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

/// What an application component makes of its updates.
pub trait ComponentRules {
    /// The component's new data after `updates`, applied in order to `current`.
    ///
    /// # Errors
    /// The reason, where the component is unknown or an update is invalid; the whole commit is refused.
    fn update(&self, component: u16, current: Option<&[u8]>, updates: &[&[u8]]) -> Result<Vec<u8>, String>;

    /// Whether the component's state may be removed.
    ///
    /// # Errors
    /// The reason, where it may not; the whole commit is refused.
    fn remove(&self, component: u16) -> Result<(), String>;

    /// Whether one commit may carry several updates of the component, so long as no two are equal. Where it may,
    /// [`ComponentRules::update`] gets all of them at once.
    fn takes_several(&self, _component: u16) -> bool {
        false
    }
}

/// One AppDataUpdate proposal, as the list rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppDataOperation {
    /// New information for the component; what it means is the component's business.
    Update(Vec<u8>),
    /// The component's state goes.
    Remove,
}

/// Why a list of AppDataUpdate proposals is invalid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AppDataError {
    /// Two removes of one component.
    #[error("component {0:#06x} is removed twice in one commit")]
    RemovedTwice(u16),
    /// An update and a remove of one component.
    #[error("component {0:#06x} is both updated and removed in one commit")]
    UpdatedAndRemoved(u16),
    /// A remove of a component without state.
    #[error("component {0:#06x} has no state to remove")]
    NothingToRemove(u16),
    /// Two equal updates of one component, or more than one of a component that takes one; the library
    /// deduplicates equal ones on one side only, so sides could disagree.
    #[error("component {0:#06x} is updated more than once in one commit")]
    UpdatedTwice(u16),
    /// The component refused.
    #[error("component {component:#06x} refused: {reason}")]
    Refused {
        /// Which.
        component: u16,
        /// Why.
        reason: String,
    },
}

/// New data by component; `None` means the entry goes.
pub type AppDataChanges = BTreeMap<u16, Option<Vec<u8>>>;

/// Checks a commit's AppDataUpdate proposals, in their order, and computes what they change.
///
/// `current` looks up the component's data in the GroupContext before the commit.
///
/// # Errors
/// [`AppDataError`] names the rule of draft-ietf-mls-extensions §4.7 (or the component's own) that is broken.
pub fn fold<'a>(
    operations: impl IntoIterator<Item = (u16, &'a AppDataOperation)>,
    current: impl Fn(u16) -> Option<Vec<u8>>,
    rules: &dyn ComponentRules,
) -> Result<AppDataChanges, AppDataError> {
    let mut by_component: BTreeMap<u16, Vec<&AppDataOperation>> = BTreeMap::new();
    for (component, operation) in operations {
        by_component.entry(component).or_default().push(operation);
    }
    let mut changes = AppDataChanges::new();
    for (component, operations) in by_component {
        let change = fold_one(component, &operations, current(component).as_deref(), rules)?;
        changes.insert(component, change);
    }
    Ok(changes)
}

fn fold_one(
    component: u16,
    operations: &[&AppDataOperation],
    current: Option<&[u8]>,
    rules: &dyn ComponentRules,
) -> Result<Option<Vec<u8>>, AppDataError> {
    let refused = |reason| AppDataError::Refused { component, reason };
    let removes = operations
        .iter()
        .filter(|operation| matches!(operation, AppDataOperation::Remove))
        .count();
    if removes > 0 {
        if removes < operations.len() {
            return Err(AppDataError::UpdatedAndRemoved(component));
        }
        if removes > 1 {
            return Err(AppDataError::RemovedTwice(component));
        }
        if current.is_none() {
            return Err(AppDataError::NothingToRemove(component));
        }
        rules.remove(component).map_err(refused)?;
        return Ok(None);
    }
    let updates: Vec<&[u8]> = operations
        .iter()
        .filter_map(|operation| match operation {
            AppDataOperation::Update(bytes) => Some(bytes.as_slice()),
            AppDataOperation::Remove => None,
        })
        .collect();
    let different: BTreeSet<&[u8]> = updates.iter().copied().collect();
    if different.len() < updates.len() || (updates.len() > 1 && !rules.takes_several(component)) {
        return Err(AppDataError::UpdatedTwice(component));
    }
    rules
        .update(component, current, &updates)
        .map(Some)
        .map_err(refused)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    /// Replaces the data, refuses component 9, and lets only component 1 be removed.
    struct Rules;

    impl ComponentRules for Rules {
        fn update(&self, component: u16, _: Option<&[u8]>, updates: &[&[u8]]) -> Result<Vec<u8>, String> {
            if component == 9 {
                Err("unknown".into())
            } else {
                Ok(updates.concat())
            }
        }
        fn remove(&self, component: u16) -> Result<(), String> {
            if component == 1 {
                Ok(())
            } else {
                Err("stays".into())
            }
        }
        fn takes_several(&self, component: u16) -> bool {
            component == 3
        }
    }

    fn run(operations: &[(u16, AppDataOperation)]) -> Result<AppDataChanges, AppDataError> {
        let state = |component| (component < 5).then(|| vec![7]);
        fold(
            operations
                .iter()
                .map(|(component, operation)| (*component, operation)),
            state,
            &Rules,
        )
    }

    fn update(byte: u8) -> AppDataOperation {
        AppDataOperation::Update(vec![byte])
    }

    #[test]
    fn updates_and_removes_of_different_components_are_independent() {
        let changes = run(&[(2, update(1)), (1, AppDataOperation::Remove)]).unwrap();
        assert_eq!(changes[&2], Some(vec![1]));
        assert_eq!(changes[&1], None);
    }

    #[test]
    fn several_updates_go_to_a_component_that_takes_them() {
        let changes = run(&[(3, update(1)), (2, update(9)), (3, update(2))]).unwrap();
        assert_eq!(changes[&3], Some(vec![1, 2]));
    }

    #[test]
    fn each_list_rule_has_its_refusal() {
        use AppDataOperation::Remove;
        let table = [
            (
                vec![(2, update(1)), (2, update(2))],
                AppDataError::UpdatedTwice(2),
            ),
            (
                vec![(3, update(1)), (3, update(2)), (3, update(1))],
                AppDataError::UpdatedTwice(3),
            ),
            (vec![(6, Remove)], AppDataError::NothingToRemove(6)),
            (
                vec![(1, update(1)), (1, Remove)],
                AppDataError::UpdatedAndRemoved(1),
            ),
            (
                vec![(1, Remove), (1, update(1))],
                AppDataError::UpdatedAndRemoved(1),
            ),
            (vec![(1, Remove), (1, Remove)], AppDataError::RemovedTwice(1)),
            (
                vec![(1, update(1)), (1, update(1))],
                AppDataError::UpdatedTwice(1),
            ),
            (
                vec![(9, update(1))],
                AppDataError::Refused {
                    component: 9,
                    reason: "unknown".into(),
                },
            ),
            (
                vec![(2, Remove)],
                AppDataError::Refused {
                    component: 2,
                    reason: "stays".into(),
                },
            ),
        ];
        for (operations, expected) in table {
            assert_eq!(run(&operations).unwrap_err(), expected, "{operations:?}");
        }
    }
}
