//! Who was removed and kept everything: no message, commit, proposal or GroupInfo for them.

use sabir_core::room::{ADMIN, BANNED, MEMBER};
use sabir_wire::codec::Decode as _;
use sabir_wire::mls::MlsMessage;
use sabir_wire::protocol::{GroupInfoOutcome, SubmitMessageRequest, SubmitMessageResponse};

use super::accepted;
use super::group_support::{List, Scene};

fn removed(scene: &mut Scene, ban: bool) {
    let list = if ban {
        List {
            changed: &[("bob", BANNED)],
            ..List::default()
        }
    } else {
        List {
            removed: &["bob"],
            ..List::default()
        }
    };
    let plan = scene.plan(&list, &[], &["bob"]);
    scene.does("carol", plan);
}

#[test]
fn who_was_removed_and_keeps_all_state_can_do_nothing() {
    for ban in [false, true] {
        let mut scene = Scene::of(
            300,
            &[("bob", 'a', MEMBER), ("carol", 'a', ADMIN), ("dave", 'b', MEMBER)],
        );
        // Everything is made while Bob is in the room.
        let commit = scene.commits("bob", Scene::refresh());
        let mut rng = scene.rng();
        let bob = scene.members.get_mut("bob").unwrap();
        let group = bob.group.as_mut().unwrap();
        group.drop_own().unwrap();
        let message = group.encrypt(&bob.device, vec![], b"late", &mut rng).unwrap();
        let proposals = scene.leaving("bob");
        let group = scene.members.get_mut("bob").unwrap().group.as_mut().unwrap();
        group.drop_proposals().unwrap();
        assert!(matches!(scene.group_info("bob"), GroupInfoOutcome::Success(_)));
        removed(&mut scene, ban);
        let seen = scene.members["bob"].seen;
        assert!(
            !scene.members["bob"].group.as_ref().unwrap().is_active(),
            "the removing commit came"
        );
        assert!(!accepted(&scene.update("bob", &Scene::bundle(&commit)).0));
        assert!(!accepted(&scene.update("bob", &Scene::proposals(&proposals)).0));
        let request = SubmitMessageRequest {
            app_message: MlsMessage::from_bytes(&message).unwrap(),
            sending_uri: scene.members["bob"].user.clone(),
        };
        let origin = scene.origin("bob");
        assert_eq!(
            scene.submit(&origin, request).0,
            SubmitMessageResponse::NotAllowed
        );
        assert!(matches!(scene.group_info("bob"), GroupInfoOutcome::NotAuthorized));
        // With a GroupInfo from elsewhere.
        assert!(!accepted(&scene.joins("bob", &[], &[]).0));
        // And nothing reaches Bob any more.
        let (_, effects) = scene.says("alice");
        assert!(!effects.events[0].devices.contains(&scene.members["bob"].uri));
        scene.does("alice", Scene::refresh());
        assert_eq!(scene.members["bob"].seen, seen);
    }
}

#[test]
fn who_departed_is_cut_off_at_once_and_told_of_the_commit_that_removes_them() {
    let mut scene = Scene::of(301, &[("bob", 'a', MEMBER), ("dave", 'b', MEMBER)]);
    let mut rng = scene.rng();
    let bob = scene.members.get_mut("bob").unwrap();
    let group = bob.group.as_mut().unwrap();
    let message = group.encrypt(&bob.device, vec![], b"late", &mut rng).unwrap();
    let dave = scene.members.get_mut("dave").unwrap();
    let from_dave = dave
        .group
        .as_mut()
        .unwrap()
        .encrypt(&dave.device, vec![], b"bye", &mut rng)
        .unwrap();
    scene.leaves("bob");
    let request = |scene: &Scene, name: &str, message: &[u8]| SubmitMessageRequest {
        app_message: MlsMessage::from_bytes(message).unwrap(),
        sending_uri: scene.members[name].user.clone(),
    };
    let (origin, late) = (scene.origin("bob"), request(&scene, "bob", &message));
    assert_eq!(scene.submit(&origin, late).0, SubmitMessageResponse::NotAllowed);
    assert!(matches!(scene.group_info("bob"), GroupInfoOutcome::NotAuthorized));
    assert!(!scene.hub.takes_part(&scene.members["bob"].user));
    // A message of somebody who did not know yet is taken and passed on, but not to Bob.
    let (origin, bye) = (scene.origin("dave"), request(&scene, "dave", &from_dave));
    let (answer, effects) = scene.submit(&origin, bye);
    assert!(matches!(answer, SubmitMessageResponse::Accepted { .. }));
    assert!(!effects.events[0].devices.contains(&scene.members["bob"].uri));
    let effects = scene.does("dave", Scene::refresh());
    assert!(effects.events[0].devices.contains(&scene.members["bob"].uri));
    assert!(!scene.members["bob"].group.as_ref().unwrap().is_active());
}

#[test]
fn the_group_info_names_what_waits() {
    let mut scene = Scene::of(302, &[("bob", 'a', MEMBER), ("dave", 'b', MEMBER)]);
    let proposals = scene.leaving("bob");
    assert!(accepted(&scene.proposes("bob", &proposals).0));
    scene.second("dave", "dave2");
    let plain = scene.group_info_opened("dave2");
    let waiting: Vec<Vec<u8>> = plain
        .pending_proposals
        .iter()
        .map(|pending| sabir_wire::codec::Encode::to_bytes(&pending.proposal))
        .collect();
    let sent: Vec<Vec<u8>> = proposals.into_iter().map(|proposal| proposal.message).collect();
    assert_eq!(waiting, sent);
    assert!(
        plain
            .pending_proposals
            .iter()
            .all(|pending| pending.hub_accepted_time == scene.now)
    );
}
