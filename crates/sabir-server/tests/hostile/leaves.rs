//! Clients that may not come into a room: one that is there already, and those on old lists of their person's devices.

use sabir_core::key_material;
use sabir_mls::Device;
use sabir_mls::group::{CommitPlan, OwnCommit};
use sabir_mls::key_package::{self, VerifiedKeyPackage};
use sabir_mls::keys::SigningKey;
use sabir_wire::client_api::{ApiErrorCode, path};
use sabir_wire::codec::Encode;
use sabir_wire::protocol::{ClientKeyStatus, KeyMaterialResponse, KeyMaterialUserCode, RatchetTreeOption};

use crate::company::{Company, Way};
use crate::resign::resign;
use crate::support::entry::{entering, seen_by, update_body};
use crate::support::logs::Logs;
use crate::support::person::{NewDevice, Online, Person};
use crate::support::talker::Talker;
use crate::support::{now, rng};
use crate::world::World;

/// A key package of a device, however the committer came by it.
fn package(of: &NewDevice, knowing: &Talker) -> VerifiedKeyPackage {
    let made = key_package::generate(&of.mls(), 1, now(), &mut rng()).unwrap();
    key_package::verify(&made[0].bytes, &knowing.anchors, now()).unwrap()
}

/// The update by which `by` adds these.
fn adding(by: &Talker, devices: &[&NewDevice]) -> Vec<u8> {
    let plan = CommitPlan {
        adds: devices.iter().map(|device| package(device, by)).collect(),
        ..CommitPlan::default()
    };
    update_body(&by.cheats(plan))
}

/// The update by which a device enters from outside.
async fn coming(company: &Company, device: &Device) -> Vec<u8> {
    let info = seen_by(&company.alice.online).await;
    update_body(&entering(device, &company.alice.anchors, &info))
}

/// The update by which a client enters that is there already, under another key. No library builds it: a client of
/// another name enters, and is given this one afterwards.
async fn coming_again(company: &Company, person: &Person, name: &str) -> Vec<u8> {
    let honest = person.device("other", 2);
    let key = &honest.key;
    let twin = person.device_with(name, key.clone(), honest.list.clone());
    let info = seen_by(&company.alice.online).await;
    let RatchetTreeOption::Full(tree) = &info.ratchet_tree_option else {
        panic!("a full tree")
    };
    let place = u32::try_from(tree.leaves().count()).unwrap();
    let commit = entering(&honest.mls(), &company.alice.anchors, &info);
    let bytes = resign(&commit.commit, &info.group_info.to_bytes(), key, |commit| {
        let leaf = &mut commit.path.as_mut().unwrap().leaf_node;
        leaf.credential = twin.credential.to_credential();
        let tbs = leaf.to_be_signed(&info.group_info.group_context.group_id, place);
        leaf.signature = key.sign_with_label("LeafNodeTBS", &tbs).unwrap();
    });
    update_body(&OwnCommit {
        commit: bytes,
        ..commit
    })
}

#[tokio::test]
async fn no_client_comes_into_a_room_twice() {
    let logs = Logs::capture();
    let mut company = Company::new().await;
    let (alice, bob, carol) = (&company.alice, &company.bob, &company.carol);
    let (bobs, carols) = (&company.bobs, &company.carols);
    let (bob1, carol1) = (bobs.device("bob1", 2), carols.device("carol1", 2));
    let [one, other] = [bobs.device("bob2", 2), bobs.device("bob2", 2)];
    let outside = "from outside, under another key";
    let there = "a client that is there, under another key";
    let two = "two of one name";
    for (what, way, by, body) in [
        (
            outside,
            Way::Local,
            carol,
            coming_again(&company, carols, "carol1").await,
        ),
        (
            outside,
            Way::Peer,
            bob,
            coming_again(&company, bobs, "bob1").await,
        ),
        (there, Way::Local, alice, adding(alice, &[&bob1])),
        (there, Way::Peer, bob, adding(bob, &[&carol1])),
        (there, Way::Forwarded, bob, adding(bob, &[&bob1])),
        (two, Way::Local, alice, adding(alice, &[&one, &other])),
        (two, Way::Peer, bob, adding(bob, &[&one, &other])),
    ] {
        company
            .refuses(&logs, what, (way, &by.online), &body, "twice")
            .await;
    }
    // One of the two alone is let in.
    let body = coming(&company, &one.mls()).await;
    company.takes(&body, None).await;
    company.stop().await;
}

/// A device on this version of its person's list, which names these others, too.
fn listed(person: &Person, name: &str, version: u64, others: &[&SigningKey]) -> NewDevice {
    let key = SigningKey::ed25519(&mut rng()).unwrap();
    let list = person.device_list(version, &[others, &[&key]].concat());
    person.device_with(name, key, list)
}

#[tokio::test]
async fn nobody_comes_into_a_room_on_an_old_list() {
    let logs = Logs::capture();
    let mut company = Company::new().await;
    // Bob and Carol have second devices in the room, which came with version 3 of their lists.
    let first = company.bob.online.mls.key.clone();
    let bob2 = listed(&company.bobs, "bob2", 3, &[&first]);
    let body = coming(&company, &bob2.mls()).await;
    company.takes(&body, None).await;
    let first_of_carol = company.carol.online.mls.key.clone();
    let carol2 = listed(&company.carols, "carol2", 3, &[&first_of_carol]);
    let key_of_carol2 = carol2.key.clone();
    let body = coming(&company, &carol2.mls()).await;
    let carol2 = carol2.go_online(&company.town, &company.a).await;
    company.takes(&body, Some(&carol2)).await;

    let (alice, bob) = (&company.alice, &company.bob);
    let old = listed(&company.bobs, "bob3", 2, &[&first, &bob2.key]);
    let another = listed(&company.bobs, "bob3", 3, &[&first, &bob2.key]);
    let revoked = listed(&company.bobs, "bob3", 4, &[&first, &bob2.key]);
    let revoking = listed(&company.bobs, "bob4", 5, &[&first, &bob2.key]);
    let (older, differ) = ("older than one already seen", "of one version differ");
    let newest = "not on its person's newest device list";
    for (what, way, by, body, says) in [
        ("an old list", Way::Local, alice, adding(alice, &[&old]), older),
        ("an old list", Way::Peer, bob, adding(bob, &[&old]), older),
        ("an old list", Way::Forwarded, bob, adding(bob, &[&old]), older),
        (
            "another list",
            Way::Local,
            alice,
            adding(alice, &[&another]),
            differ,
        ),
        ("another list", Way::Peer, bob, adding(bob, &[&another]), differ),
        (
            "a revoked device beside the list that revokes it",
            Way::Local,
            alice,
            adding(alice, &[&revoked, &revoking]),
            newest,
        ),
    ] {
        company.refuses(&logs, what, (way, &by.online), &body, says).await;
    }
    // A device that its provider knows on the newest list, and that comes with another.
    let carol3 = listed(&company.carols, "carol3", 4, &[&first_of_carol, &key_of_carol2]);
    let mut with = carol3.mls();
    let good = coming(&company, &with).await;
    let mut others = Vec::new();
    for (version, says) in [(2, older), (3, differ)] {
        let list = company.carols.device_list(version, &[&carol3.key]);
        with.device_list = list.to_bytes();
        others.push((coming(&company, &with).await, says));
    }
    let carol3 = carol3.go_online(&company.town, &company.a).await;
    for (body, says) in others {
        company
            .refuses(
                &logs,
                "a list of its own choice",
                (Way::Local, &carol3),
                &body,
                says,
            )
            .await;
    }
    // With the newest it is let in.
    company.takes(&good, Some(&carol3)).await;
    company.stop().await;
}

#[tokio::test]
async fn a_device_that_is_off_its_list_is_given_to_nobody() {
    let world = World::new().await;
    let gone = world
        .gina
        .device("gina1", 1)
        .go_online(&world.town, &world.a)
        .await;
    gone.publish_some(2).await;
    let stays = world
        .gina
        .device("gina2", 2)
        .go_online(&world.town, &world.a)
        .await;
    stays.publish_some(2).await;
    let target = &world.gina.user;
    let segment = target.to_path_segment();
    let request = |by: &Online| {
        let request = key_material::build_request(&by.mls, &by.user, target, None);
        request.unwrap().to_bytes()
    };
    let (bob, erin) = (&world.bob.online, &world.erin.online);
    let mimi = format!("/mimi/v1/keyMaterial/{segment}");
    let local = format!("{}{segment}", path::KEY_MATERIAL);
    for answer in [
        world.peer.post_from("b.example", &mimi, &request(bob)).await,
        erin.post(&local, &request(erin)).await,
    ] {
        let answer: KeyMaterialResponse = answer.read();
        assert_eq!(answer.user_status, KeyMaterialUserCode::Success);
        let [client] = answer.clients.as_slice() else {
            panic!("{answer:?}")
        };
        assert_eq!(client.client_uri, stays.client);
        assert!(matches!(client.status, ClientKeyStatus::Success(_)), "{client:?}");
    }
    // Nor does it publish more.
    let answer = gone.publish(&gone.packages(1)).await;
    assert_eq!(answer.api_error(), ApiErrorCode::UNAUTHORIZED);
    drop((gone, stays));
    world.stop().await;
}
