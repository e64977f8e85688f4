//! The overlay: what it remembers, what it forgets, and that lists keep their order and to themselves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use openmls_traits::storage::{CURRENT_VERSION, Entity, Key, StorageProvider as _, traits};
use proptest::prelude::*;
use sabir_mls::provider::{Overlay, StorageError};
use sabir_mls::rows::{RowChanges, Rows};

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Name(String);

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Content {
    bytes: Vec<u8>,
    number: Option<u64>,
}

impl Key<CURRENT_VERSION> for Name {}
impl Entity<CURRENT_VERSION> for Name {}
impl traits::GroupId<CURRENT_VERSION> for Name {}
impl traits::ProposalRef<CURRENT_VERSION> for Name {}
impl traits::EpochKey<CURRENT_VERSION> for Name {}
impl Entity<CURRENT_VERSION> for Content {}
impl traits::TreeSync<CURRENT_VERSION> for Content {}
impl traits::QueuedProposal<CURRENT_VERSION> for Content {}
impl traits::LeafNode<CURRENT_VERSION> for Content {}
impl traits::HpkeKeyPair<CURRENT_VERSION> for Content {}

fn name(text: &str) -> Name {
    Name(text.to_owned())
}

fn content(byte: u8) -> Content {
    Content {
        bytes: vec![byte; 3],
        number: Some(byte.into()),
    }
}

fn tree(overlay: &Overlay) -> Option<Content> {
    overlay.tree(&name("g")).unwrap()
}

#[test]
fn changes_are_recorded_taken_and_discarded() {
    let overlay = Overlay::new(Rows::new());
    assert_eq!(tree(&overlay), None);
    overlay.write_tree(&name("g"), &content(1)).unwrap();
    let first = overlay.take_changes();
    assert_eq!((first.puts.len(), first.deletes.len()), (1, 0));
    assert!(overlay.changes().is_empty());
    assert_eq!(tree(&overlay), Some(content(1)));

    overlay.write_tree(&name("g"), &content(2)).unwrap();
    overlay.discard();
    assert_eq!(tree(&overlay), Some(content(1)));

    overlay.delete_tree(&name("g")).unwrap();
    assert_eq!(tree(&overlay), None);
    assert_eq!(
        (overlay.changes().puts.len(), overlay.changes().deletes.len()),
        (0, 1)
    );
    overlay.discard();
    assert_eq!(tree(&overlay), Some(content(1)));

    overlay.delete_tree(&name("other")).unwrap();
    assert!(overlay.changes().is_empty(), "deleting nothing changes nothing");

    let mut rows = Rows::new();
    first.apply_to(&mut rows);
    assert_eq!(overlay.into_rows(), rows);
}

#[test]
fn lists_of_groups_with_similar_names_stay_apart() {
    let overlay = Overlay::new(Rows::new());
    for group in ["g", "gg", "", "g\0"] {
        overlay.append_own_leaf_node(&name(group), &content(1)).unwrap();
        overlay.append_own_leaf_node(&name(group), &content(0)).unwrap();
    }
    overlay.delete_own_leaf_nodes(&name("g")).unwrap();
    let nodes = |group: &str| -> Vec<Content> { overlay.own_leaf_nodes(&name(group)).unwrap() };
    assert_eq!(nodes("g"), []);
    for group in ["gg", "", "g\0"] {
        assert_eq!(nodes(group), [content(1), content(0)], "in order of arrival");
    }
}

#[test]
fn key_pairs_of_an_epoch_are_one_row() {
    let overlay = Overlay::new(Rows::new());
    let pairs = [content(1), content(2)];
    overlay
        .write_encryption_epoch_key_pairs(&name("g"), &name("e"), 3, &pairs)
        .unwrap();
    let read = |leaf| -> Vec<Content> {
        overlay
            .encryption_epoch_key_pairs(&name("g"), &name("e"), leaf)
            .unwrap()
    };
    assert_eq!((read(3), read(4)), (pairs.to_vec(), Vec::new()));
    overlay
        .delete_encryption_epoch_key_pairs(&name("g"), &name("e"), 3)
        .unwrap();
    assert_eq!(read(3), []);
}

#[test]
fn foreign_values_are_refused() {
    let overlay = Overlay::new(Rows::new());
    overlay.write_tree(&name("g"), &content(1)).unwrap();
    let rows = overlay.into_rows();
    let with_value = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut rows = rows.clone();
        rows.values_mut().for_each(change);
        Overlay::new(rows).tree::<_, Content>(&name("g"))
    };
    assert!(matches!(
        with_value(&|v| v[0] = 9),
        Err(StorageError::Envelope(_))
    ));
    assert!(matches!(
        with_value(&|v| v.clear()),
        Err(StorageError::Envelope(_))
    ));
    assert!(matches!(
        with_value(&|v| v.truncate(5)),
        Err(StorageError::Decode(_))
    ));
    assert_eq!(with_value(&|_| ()).unwrap(), Some(content(1)));
}

#[test]
fn debug_shows_no_values() {
    let overlay = Overlay::new(Rows::new());
    overlay.write_tree(&name("g"), &content(1)).unwrap();
    assert_eq!(
        format!("{overlay:?}"),
        "Overlay { base: 0, changes: RowChanges { puts: 1, deletes: 0 } }"
    );
}

#[derive(Debug, Clone)]
enum Step {
    Queue(u8, u8),
    Remove(u8),
    Clear,
    Write(u8),
    Take,
    Discard,
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..5u8, any::<u8>()).prop_map(|(reference, value)| Step::Queue(reference, value)),
        2 => (0..5u8).prop_map(Step::Remove),
        1 => Just(Step::Clear),
        1 => any::<u8>().prop_map(Step::Write),
        1 => Just(Step::Take),
        1 => Just(Step::Discard),
        1 => Just(Step::Reload),
    ]
}

/// What the overlay stands for: a tree and a queue in order of arrival.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    tree: Option<Content>,
    queue: Vec<(Name, Content)>,
}

proptest! {
    #[test]
    fn behaves_like_a_plain_list(steps in proptest::collection::vec(step(), 0..60)) {
        let group = name("g");
        let reference = |n: u8| name(&n.to_string());
        let (mut overlay, mut store) = (Overlay::new(Rows::new()), Rows::new());
        let (mut now, mut persisted) = (Model::default(), Model::default());
        for step in steps {
            match step {
                Step::Queue(n, value) => {
                    overlay.queue_proposal(&group, &reference(n), &content(value)).unwrap();
                    now.queue.retain(|(present, _)| *present != reference(n));
                    now.queue.push((reference(n), content(value)));
                }
                Step::Remove(n) => {
                    overlay.remove_proposal(&group, &reference(n)).unwrap();
                    now.queue.retain(|(present, _)| *present != reference(n));
                }
                Step::Clear => {
                    overlay.clear_proposal_queue::<_, Name>(&group).unwrap();
                    now.queue.clear();
                }
                Step::Write(value) => {
                    overlay.write_tree(&group, &content(value)).unwrap();
                    now.tree = Some(content(value));
                }
                Step::Take => {
                    overlay.take_changes().apply_to(&mut store);
                    persisted = now.clone();
                }
                Step::Discard => {
                    overlay.discard();
                    now = persisted.clone();
                }
                Step::Reload => {
                    let mut changes = RowChanges::default();
                    changes.merge(overlay.take_changes());
                    changes.apply_to(&mut store);
                    prop_assert_eq!(&overlay.into_rows(), &store);
                    overlay = Overlay::new(store.clone());
                    persisted = now.clone();
                }
            }
            let queue: Vec<(Name, Content)> = overlay.queued_proposals(&group).unwrap();
            prop_assert_eq!(&Model { tree: tree(&overlay), queue }, &now);
            let references: Vec<Name> = overlay.queued_proposal_refs(&group).unwrap();
            prop_assert!(references.iter().eq(now.queue.iter().map(|(reference, _)| reference)));
        }
    }
}
