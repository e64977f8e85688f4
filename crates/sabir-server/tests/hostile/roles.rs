//! Whoever acts above their role in a group: what a member may not change, and who may read alone.

use sabir_core::conversation::{Intent, RequestKind};
use sabir_core::room::{ADMIN, MEMBER};
use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::CommitPlan;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::components::{ParticipantListUpdate, UserRolePair, UserindexRolePair};
use sabir_wire::mls::ComponentId;
use sabir_wire::policy::BaseRoomPolicy;
use sabir_wire::protocol::{SubmitMessageRequest, SubmitMessageResponse};
use sabir_wire::uri::UserUri;

use crate::company::{Company, Way, epoch, state};
use crate::support::entry::update_body;
use crate::support::logs::Logs;
use crate::support::talker::{Talker, another};

fn change(component: ComponentId, bytes: Vec<u8>) -> CommitPlan {
    CommitPlan {
        app_data: vec![(component.0, AppDataOperation::Update(bytes))],
        ..CommitPlan::default()
    }
}

/// A change of the list.
fn list(change_list: impl FnOnce(&mut ParticipantListUpdate)) -> CommitPlan {
    let mut update = ParticipantListUpdate::default();
    change_list(&mut update);
    change(ComponentId::PARTICIPANT_LIST, update.to_bytes())
}

/// Gives somebody a role.
fn moved(by: &Talker, whom: &Talker, role_index: u32) -> CommitPlan {
    let user = &whom.online.user;
    let list_now = &state(by).participants.participants;
    let user_index = list_now.iter().position(|entry| entry.user == *user).unwrap();
    let user_index = u32::try_from(user_index).unwrap();
    list(|list| {
        list.changed_role_participants.push(UserindexRolePair {
            user_index,
            role_index,
        });
    })
}

/// What nobody in this group may do but its owner, as `by` would.
fn above(by: &Talker, other: &Talker) -> Vec<(&'static str, CommitPlan)> {
    let mut roles = state(by).roles.clone();
    roles.roles[1].role_description = "reads".to_owned();
    let base = BaseRoomPolicy {
        max_users: Some(7),
        ..state(by).base.clone()
    };
    let newcomer = UserRolePair {
        user: UserUri::parse("mimi://b.example/u/fred").unwrap(),
        role_index: MEMBER,
    };
    vec![
        ("another's role", moved(by, other, MEMBER)),
        ("their own role", moved(by, by, ADMIN)),
        ("a newcomer", list(|list| list.added_participants.push(newcomer))),
        (
            "what roles may",
            change(ComponentId::ROLES_LIST, roles.to_bytes()),
        ),
        (
            "the policy",
            change(ComponentId::BASE_ROOM_POLICY, base.to_bytes()),
        ),
    ]
}

#[tokio::test]
async fn nobody_changes_roles_or_the_policy_above_their_own_role() {
    let logs = Logs::capture();
    let mut company = Company::new().await;
    let (bob, carol, dave, erin) = (&company.bob, &company.carol, &company.dave, &company.erin);
    for (way, by, other) in [
        (Way::Local, carol, erin),
        (Way::Peer, bob, dave),
        (Way::Forwarded, bob, erin),
        (Way::Local, erin, carol),
        (Way::Peer, dave, bob),
    ] {
        for (what, plan) in above(by, other) {
            let body = update_body(&by.cheats(plan));
            company
                .refuses(&logs, what, (way, &by.online), &body, "not allowed")
                .await;
        }
    }
    // The owner may, so it was refused for who did it; and the room goes on for everybody.
    let before = epoch(&company.alice);
    let user = company.dave.online.user.clone();
    company.alice.wish(Intent::SetRole { user, role: MEMBER }).await;
    assert_eq!(epoch(&company.alice), before + 1);
    company.all_hear().await;
    company.bob.say("still here");
    company.bob.flush().await;
    for talker in [&mut company.alice, &mut company.bob, &mut company.carol] {
        talker.hear(&["still here"]).await;
    }
    company.stop().await;
}

#[tokio::test]
async fn who_may_read_alone_sends_nothing() {
    let logs = Logs::capture();
    let mut company = Company::new().await;
    // As good a message of this epoch as Alice's own, for all that a hub can tell.
    company.alice.say("one");
    let good = company.alice.next_request().unwrap();
    assert_eq!(good.kind, RequestKind::Submit);
    for (way, by) in [
        (Way::Local, &company.erin),
        (Way::Peer, &company.dave),
        (Way::Forwarded, &company.dave),
    ] {
        let mut request = another(&SubmitMessageRequest::from_bytes(&good.body).unwrap());
        request.sending_uri = by.online.user.clone();
        let before = company.looked_at().await;
        logs.clear();
        let answer = company.submits(way, &by.online, &request.to_bytes()).await;
        let read: SubmitMessageResponse = answer.read();
        assert_eq!(read, SubmitMessageResponse::NotAllowed, "{way:?}");
        if way != Way::Forwarded {
            logs.one_refusal(format!("{:?}", read.status_code()));
        }
        assert!(company.looked_at().await == before, "{way:?} changed something");
    }
    company.alice.flush().await;
    // Once he may, he is heard: he was refused for his role.
    let user = company.dave.online.user.clone();
    company.alice.wish(Intent::SetRole { user, role: MEMBER }).await;
    company.all_hear().await;
    company.dave.say("two");
    company.dave.flush().await;
    let Company {
        alice,
        bob,
        dave,
        erin,
        ..
    } = &mut company;
    for talker in [alice, bob, dave, erin] {
        talker.hear(&["one", "two"]).await;
    }
    company.stop().await;
}
