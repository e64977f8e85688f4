//! A group whose people are at three providers.

use sabir_core::conversation::{ConversationEvent, Intent, Out, RequestKind};
use sabir_core::room::{ADMIN, MEMBER};
use sabir_wire::client_api::path;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::protocol::{
    GroupInfoOutcome, GroupInfoResponse, SubmitMessageRequest, SubmitMessageResponse, UpdateOutcome,
    UpdateRoomResponse,
};

use crate::support::entry::group_info;
use crate::support::scene::{room, talker};
use crate::support::talker::{Talker, another};
use crate::support::town::Town;

fn size(talker: &Talker) -> usize {
    let conversation = talker.conversation.as_ref();
    conversation.map_or(0, |conversation| conversation.devices().len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anybody_who_may_adds_people_of_any_provider() {
    let town = Town::new(&["a.example", "b.example", "c.example"]);
    let a = town.start("a.example").await;
    let b = town.start("b.example").await;
    let c = town.start("c.example").await;
    let all = [&a, &b, &c];
    let mut alice = talker(&town, &a, "alice", &all).await;
    let mut bob = talker(&town, &b, "bob", &all).await;
    let mut carol = talker(&town, &c, "carol", &all).await;
    let (bob_s, carol_s) = (bob.online.user.clone(), carol.online.user.clone());

    alice.open_group(&room(), "three").await;
    alice.flush().await;
    let user = bob_s.clone();
    alice.wish(Intent::Add { user, role: ADMIN }).await;
    bob.listen_until(|bob| size(bob) == 2).await;

    // Key packages of a third provider come to a device of the second through the hub, which so knows where the
    // Welcome goes; and the third begins to follow the room with it.
    let user = carol_s.clone();
    bob.wish(Intent::Add { user, role: MEMBER }).await;
    carol.listen_until(|carol| size(carol) == 3).await;
    alice.listen_until(|alice| size(alice) == 3).await;
    for (talker, line) in [(&mut carol, "one"), (&mut alice, "two"), (&mut bob, "three")] {
        talker.say(line);
        talker.flush().await;
    }
    for talker in [&mut alice, &mut bob, &mut carol] {
        talker.listen_until(|talker| talker.texts().len() == 3).await;
    }
    assert_eq!(alice.texts(), bob.texts());
    assert_eq!(alice.texts(), carol.texts());

    // Once bob has left, nothing of him counts, although no commit has removed him yet.
    let segment = room().to_path_segment();
    bob.say("late");
    let late = bob.next_request().unwrap();
    let before = bob.done();
    bob.intend(Intent::Leave);
    // The message is answered first; here it waits, as if the way to the hub were long.
    let sent = bob.online.post(&bob.path(&late), &late.body).await;
    bob.take_answer(&late, &sent);
    bob.flush().await;
    bob.listen_until(|bob| bob.done() > before).await;
    let again = SubmitMessageRequest::from_bytes(&late.body).unwrap();
    let submit = format!("{}{segment}", path::SUBMIT_MESSAGE);
    let answer: SubmitMessageResponse = bob.online.post(&submit, &another(&again).to_bytes()).await.read();
    assert_eq!(answer, SubmitMessageResponse::NotAllowed);
    // What was accepted before stays so: the same bytes get the first answer, however often.
    for _ in 0..3 {
        assert_eq!(bob.online.post(&bob.path(&late), &late.body).await, sent);
    }
    let info = format!("{}{segment}", path::GROUP_INFO);
    let (body, _) = group_info(&bob.online);
    let answer: GroupInfoResponse = bob.online.post(&info, &body).await.read();
    assert_eq!(answer.outcome, GroupInfoOutcome::NotAuthorized);

    // Whoever is next takes him out, and what was proposed with it.
    alice
        .listen_until(|alice| {
            size(alice) == 2 && alice.conversation.as_ref().unwrap().departed().next().is_none()
        })
        .await;
    carol.listen_until(|carol| size(carol) == 2).await;
    let out = |talker: &Talker| {
        let events = talker.events.iter();
        let mut out = events.filter_map(|event| match event {
            ConversationEvent::Removed { how, .. } => Some(*how),
            _ => None,
        });
        out.next()
    };
    bob.listen_until(|bob| out(bob).is_some()).await;
    assert_eq!(out(&bob), Some(Out::Left));

    // Carol is removed: neither message, nor commit, nor GroupInfo.
    let user = carol_s.clone();
    alice.wish(Intent::Remove { user }).await;
    carol.listen_until(|carol| out(carol).is_some()).await;
    assert_eq!(out(&carol), Some(Out::Removed));
    let (body, _) = group_info(&carol.online);
    let answer: GroupInfoResponse = carol.online.post(&info, &body).await.read();
    assert_eq!(answer.outcome, GroupInfoOutcome::NotAuthorized);
    // Of this epoch, so that it is refused for who sends it and for nothing else.
    alice.say("four");
    let four = alice.next_request().unwrap();
    let request = SubmitMessageRequest {
        sending_uri: carol_s,
        ..another(&SubmitMessageRequest::from_bytes(&four.body).unwrap())
    };
    let answer: SubmitMessageResponse = carol.online.post(&submit, &request.to_bytes()).await.read();
    assert_eq!(answer, SubmitMessageResponse::NotAllowed);
    alice.flush().await;

    // Nor somebody else's commit.
    let update = format!("{}{segment}", path::UPDATE);
    alice.intend(Intent::Rename {
        name: "one".to_owned(),
    });
    let rename = alice.next_request().unwrap();
    assert_eq!(rename.kind, RequestKind::Update);
    let answer: UpdateRoomResponse = carol.online.post(&update, &rename.body).await.read();
    assert_eq!(answer.outcome, UpdateOutcome::NotAllowed, "{answer:?}");
    // All that was wrong with either was who sent it.
    let before = alice.done();
    alice.flush().await;
    alice.listen_until(|alice| alice.done() > before).await;
    assert_eq!(alice.texts().last().map(String::as_str), Some("four"));
    for provider in [a, b, c] {
        provider.stop().await;
    }
}
