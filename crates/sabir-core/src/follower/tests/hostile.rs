//! Bytes that no hub would send: nothing panics, and what is refused changes nothing.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use sabir_wire::mls::{Proposal, Sender};

use super::synthetic::*;
use super::*;

fn messages(cast: &mut Cast) -> Vec<FanoutMessage> {
    let add = cast.add("b2");
    let renewal = Proposal::Update(Box::new(cast.leaf("a2")));
    let renewal = proposal(6, member(2), renewal);
    vec![
        cast.welcome(&["b1"], "a1 b1 a2"),
        application(5),
        cast.commit(5, 0, "a1", vec![by_value(add)]),
        cast.welcome(&["b2"], "a1 b1 a2 b2"),
        proposals(vec![
            renewal.clone(),
            proposal(6, Sender::External { sender_index: 0 }, Proposal::SelfRemove),
        ]),
        cast.commit(
            6,
            1,
            "b1",
            vec![by_reference(&renewal), by_value(Proposal::Remove { removed: 3 })],
        ),
        cast.external(7, "b2", &[]),
    ]
}

fn routes(cast: &mut Cast) -> BTreeMap<Vec<u8>, ClientUri> {
    ["b1", "b2"]
        .map(|name| (cast.reference(name), client(name)))
        .into()
}

#[test]
fn broken_batches_are_refused_and_change_nothing() {
    let mut cast = Cast::new();
    let (good, routes) = (batch(&messages(&mut cast)), routes(&mut cast));
    let mut follower = Follower::new(room());
    follower.handle(&own(), &good, &routes).unwrap();
    let before = image(&follower);
    let ends: Vec<usize> = messages(&mut cast)
        .iter()
        .scan(0, |end, message| {
            *end += message.to_bytes().len();
            Some(*end)
        })
        .collect();
    for length in (0..good.len()).filter(|length| !ends.contains(length)) {
        let error = follower.handle(&own(), &good[..length], &routes).unwrap_err();
        assert!(matches!(error, FollowerError::Malformed(_)));
        assert!(welcome_references(&good[..length]).is_err());
    }
    assert_eq!(image(&follower), before);
}

#[test]
fn altered_batches_never_panic_and_an_error_changes_nothing() {
    let mut cast = Cast::new();
    let (messages, routes) = (messages(&mut cast), routes(&mut cast));
    let mut rng = ChaCha20Rng::seed_from_u64(17);
    let mut below = |bound: usize| usize::try_from(rng.next_u64() % bound as u64).unwrap();
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..40 {
        let mut follower = Follower::new(room());
        let mut rows = Rows::new();
        for _ in 0..40 {
            let mut bytes = messages[below(messages.len())].to_bytes();
            for _ in 0..below(4) {
                let at = below(bytes.len());
                bytes[at] = u8::try_from(below(256)).unwrap();
            }
            let before = image(&follower);
            match follower.handle(&own(), &bytes, &routes) {
                Ok(effects) => {
                    effects.changes.apply_to(&mut rows);
                    assert_eq!(effects.events[0].body, bytes);
                    let loaded = Follower::load(room(), &rows).unwrap();
                    assert_eq!(image(&loaded), image(&follower));
                    taken += 1;
                }
                Err(_) => {
                    assert_eq!(image(&follower), before);
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 100 && taken > 100, "{refused} {taken}");
}

#[test]
fn rows_that_are_none_are_refused() {
    let mut cast = Cast::new();
    let routes = routes(&mut cast);
    let mut follower = Follower::new(room());
    let mut rows = Rows::new();
    let messages = messages(&mut cast);
    follower.attach(client("b7")).unwrap().apply_to(&mut rows);
    follower
        .handle(&own(), &batch(&messages[..5]), &routes)
        .unwrap()
        .changes
        .apply_to(&mut rows);
    assert!(rows.len() > 6, "head, leaves, a proposal, a device");
    for key in rows.keys().cloned().collect::<Vec<_>>() {
        for altered in [Vec::new(), vec![9], [rows[&key].clone(), vec![0]].concat()] {
            let mut broken = rows.clone();
            broken.insert(key.clone(), altered);
            assert!(
                Follower::load(room(), &broken).is_err(),
                "{}",
                String::from_utf8_lossy(&key)
            );
        }
    }
    for key in ["efollower/leaf/x", "efollower/attached/x", "efollower/proposal/x"] {
        let mut broken = rows.clone();
        broken.insert(key.as_bytes().to_vec(), vec![0]);
        assert!(Follower::load(room(), &broken).is_err(), "{key}");
    }
    // Other rows of the room are others'.
    rows.insert(b"mgroup".to_vec(), vec![1]);
    rows.insert(b"eother".to_vec(), vec![1]);
    assert_eq!(image(&Follower::load(room(), &rows).unwrap()), image(&follower));
}
