//! Rules and roles: in words, changed, and kept to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeMap;

use super::group_tests::{changes, done, sees_people, two_providers, until, wish};
use super::tests::World;
use super::*;
use crate::types::{Choice, NewRoom, Rules, Settings, Template, Wish};

const ALICE: &str = "alice@a.example";
const BOB: &str = "bob@b.example";
const CAROL: &str = "carol@a.example";

fn rules(rules: Rules) -> Wish {
    Wish::Rules { rules }
}

fn component(name: &str, data: Option<&str>) -> Wish {
    rules(Rules {
        components: BTreeMap::from([(name.to_owned(), data.map(str::to_owned))]),
        ..Rules::default()
    })
}

async fn powers(client: &Client, room: &str, role: &str) -> String {
    let details = client.room_details(room).await.unwrap();
    let power = details.powers.into_iter().find(|power| power.role == role);
    power.unwrap().may.join(", ")
}

#[tokio::test]
async fn in_an_announcement_channel_members_read() {
    let world = World::new();
    let (a, b) = two_providers(&world).await;
    a.meet(&b);
    let alice = world.person("alice", &a).await;
    let bob = world.person("bob", &b).await;
    let NewRoom { asked, .. } = alice
        .create_group("News", Template::Announcement, vec![BOB.to_owned()])
        .await
        .unwrap();
    done(&alice, &asked).await;
    sees_people(&bob, "News", &[(ALICE, "owner"), (BOB, "member")]).await;
    alice.send_text("News", "Rain").await.unwrap();
    let refused = until(&bob, async |client| {
        let said = client.timeline("News", None, 10).await.unwrap();
        let heard = said.iter().any(|line| line.text == "Rain");
        match heard {
            true => Some(client.send_text("News", "And wind").await.unwrap_err()),
            false => None,
        }
    })
    .await;
    assert!(matches!(refused, ClientError::Denied(_)), "{refused}");
    assert_eq!(
        powers(&bob, "News", "member").await,
        "read, bring their own devices, leave"
    );
    let owner = powers(&bob, "News", "owner").await;
    for what in [
        "write",
        "change the rules",
        "remove banned, read-only, member, admin, owner",
    ] {
        assert!(owner.contains(what), "{owner}");
    }
    let said = bob.room_details("News").await.unwrap().rules;
    assert_eq!(
        said,
        ["nobody is told what was read", "nobody is told what arrived"]
    );
}

#[tokio::test]
async fn rules_are_changed_told_and_kept() {
    let world = World::new();
    let (a, b) = two_providers(&world).await;
    a.meet(&b);
    let alice = world.person("alice", &a).await;
    let bob = world.person("bob", &b).await;
    let _carol = world.person("carol", &a).await;
    let NewRoom { room, asked } = alice
        .create_group("Club", Template::Private, vec![BOB.to_owned()])
        .await
        .unwrap();
    done(&alice, &asked).await;
    let id = room.room.as_str();
    sees_people(&bob, id, &[(ALICE, "owner"), (BOB, "member")]).await;
    assert_eq!(alice.room_details(id).await.unwrap().rules, Vec::<String>::new());
    let both = Rules {
        receipts: Some(Choice::Required),
        max_people: Some(2),
        ..Rules::default()
    };
    let refused = bob.change_room(id, vec![rules(both.clone())]).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "only an owner may change these rules here; you are member"
    );
    wish(&alice, id, rules(both.clone())).await;
    // What is so already is done.
    wish(&alice, id, rules(both)).await;
    let expected = [
        "alice@a.example changed the rules: at most 2 people",
        "alice@a.example changed the rules: senders are always told what was read; senders are told what arrived, \
         as each person wishes",
    ];
    until(&bob, async |client| {
        changes(client, id)
            .await
            .ends_with(&expected.map(str::to_owned))
            .then_some(())
    })
    .await;
    let carol = Wish::Add {
        person: CAROL.to_owned(),
        role: "member".to_owned(),
    };
    let refused = alice.change_room(id, vec![carol]).await.unwrap_err();
    assert_eq!(refused.to_string(), "the room would have too many people");

    // Bob would rather not tell; the room decides.
    let silent = Settings {
        delivery_receipts: false,
        read_receipts: false,
        ..Settings::default()
    };
    bob.set_settings(silent).await.unwrap();
    alice.send_text(id, "Read this").await.unwrap();
    until(&bob, async |client| {
        let said = client.timeline(id, None, 10).await.unwrap();
        said.iter().any(|line| line.text == "Read this").then_some(())
    })
    .await;
    bob.mark_read(id, None).await.unwrap();
    until(&alice, async |client| {
        let said = client.timeline(id, None, 10).await.unwrap();
        let own = said.into_iter().find(|line| line.text == "Read this").unwrap();
        (own.marks.read_by == [BOB]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn components_come_whole_and_what_does_not_hold_is_refused() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let made = alice
        .create_group("One", Template::Private, Vec::new())
        .await
        .unwrap();
    done(&alice, &made.asked).await;
    let id = made.room.room.as_str();
    // Required, of one minute to one day, usually one hour.
    let expiring = "AQAAADwAAVGAAQAADhA=";
    wish(&alice, id, component("message_expiration_policy", Some(expiring))).await;
    let said = alice.room_details(id).await.unwrap().rules;
    assert_eq!(
        said,
        ["messages are to expire after 1 minute to 1 day, usually 1 hour"]
    );
    for (slip, says) in [
        // The longest is shorter than the shortest.
        (
            component("message_expiration_policy", Some("AQAAADwAAAA7AA==")),
            "do not fit",
        ),
        (
            component("message_expiration_policy", Some("AQ==")),
            "MessageExpiration",
        ),
        (component("message_expiration_policy", Some("?")), "no base64"),
        (component("join_links", None), "there is no policy join_links"),
        (
            component("participant_list", None),
            "there is no policy participant_list",
        ),
        (component("base_room_policy", None), "belongs to every room"),
        (component("base_room_policy", Some("AQ==")), "BaseRoomPolicy"),
        (component("roles_list", None), "belongs to every room"),
    ] {
        let refused = alice.change_room(id, vec![slip.clone()]).await.unwrap_err();
        assert!(refused.to_string().contains(says), "{slip:?}: {refused}");
    }
    wish(&alice, id, component("message_expiration_policy", None)).await;
    assert_eq!(alice.room_details(id).await.unwrap().rules, Vec::<String>::new());
    let last = changes(&alice, id).await.pop().unwrap();
    assert_eq!(
        last,
        "alice@a.example changed the rules: no more rules by message_expiration_policy"
    );
}
