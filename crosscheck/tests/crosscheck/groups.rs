//! Groups whose members are on ours and on theirs by turns: in every epoch all have the same secrets and read each other.

use openmls_traits::crypto::OpenMlsCrypto as _;
use openmls_traits::types::Ciphersuite;
use sabir_mls::provider::SUITES;

use crate::differences::THEIRS_HAS_NO_GROUPS;
use crate::inputs::Inputs;
use crate::members::{Member, ours, theirs};

struct Room {
    members: Vec<Box<dyn Member>>,
    inputs: Inputs,
    epochs: usize,
}

impl Room {
    fn new(mut founder: Box<dyn Member>) -> Self {
        founder.create(b"crosscheck");
        Self {
            members: vec![founder],
            inputs: Inputs::new(31),
            epochs: 0,
        }
    }

    fn add(&mut self, by: usize, mut member: Box<dyn Member>) {
        let (commit, welcome) = self.members[by].add(&member.key_package());
        self.commit(by, &commit);
        member.join(&welcome);
        self.members.push(member);
        self.agree();
    }

    fn update(&mut self, by: usize) {
        let commit = self.members[by].update();
        self.commit(by, &commit);
        self.agree();
    }

    fn remove(&mut self, by: usize, who: usize) {
        let leaf = self.members[who].leaf();
        let commit = self.members[by].remove(leaf);
        let mut gone = self.members.remove(who);
        let by = if who < by { by - 1 } else { by };
        self.commit(by, &commit);
        assert_eq!(gone.hear(&commit), Ok(None));
        self.agree();
        let message = self.members[by].say(b"without you");
        assert!(gone.hear(&message).is_err());
    }

    /// Everybody else refuses the commit when a bit of it is turned, then follows it as it is.
    fn commit(&mut self, by: usize, commit: &[u8]) {
        for (i, member) in self.members.iter_mut().enumerate().filter(|(i, _)| *i != by) {
            // The second half is path, signature and tags: what cryptography must notice.
            let (head, tail) = commit.split_at(commit.len() / 2);
            let altered = [head, &self.inputs.altered(tail)].concat();
            assert!(member.hear(&altered).is_err(), "member {i}");
            assert_eq!(member.hear(commit), Ok(None), "member {i}");
        }
        self.members[by].accepted();
    }

    /// The same secrets everywhere, and messages from two to all others; who speaks goes round.
    fn agree(&mut self) {
        self.epochs += 1;
        let first = self.members[0].shared();
        for (i, member) in self.members.iter_mut().enumerate() {
            assert_eq!(member.shared(), first, "member {i}");
        }
        let count = self.members.len();
        for from in [self.epochs % count, (self.epochs + 1) % count] {
            let text = self.inputs.some();
            let (lost, message) = (self.members[from].say(&text), self.members[from].say(&text));
            let at = lost.len() - 1 - self.inputs.below(16);
            for (to, member) in self.members.iter_mut().enumerate().filter(|(to, _)| *to != from) {
                let mut altered = lost.clone();
                altered[at] ^= 1;
                assert!(member.hear(&altered).is_err(), "{from} to {to}");
                assert_eq!(member.hear(&message), Ok(Some(text.clone())), "{from} to {to}");
            }
        }
    }
}

type Make<'a> = &'a dyn Fn(&str) -> Box<dyn Member>;

/// Suites both have, with handshakes in the open and encrypted, founded by each.
fn each_suite(story: impl Fn(Make<'_>, Make<'_>)) {
    let both: Vec<Ciphersuite> = SUITES
        .iter()
        .copied()
        .filter(|suite| {
            openmls_rust_crypto::RustCrypto::default()
                .supports(*suite)
                .is_ok()
        })
        .collect();
    assert_eq!(both.len() + THEIRS_HAS_NO_GROUPS.len(), SUITES.len());
    for suite in both {
        for encrypted in [false, true] {
            let ours: Make<'_> = &|name| ours(name, suite, encrypted);
            let theirs: Make<'_> = &|name| theirs(name, suite, encrypted);
            story(ours, theirs);
            story(theirs, ours);
        }
    }
}

/// One on each side.
#[test]
fn two_members() {
    each_suite(|one, other| {
        let mut room = Room::new(one("alice"));
        room.add(0, other("bob"));
        for _ in 0..3 {
            room.update(1);
            room.update(0);
        }
        room.remove(1, 0);
        room.add(0, one("alice again"));
        room.update(1);
        room.remove(1, 0);
        assert_eq!(room.epochs, 11);
    });
}

/// A tree with parents, and paths encrypted to several, blanks among them.
#[test]
fn six_members() {
    each_suite(|one, other| {
        let mut room = Room::new(one("alice"));
        room.add(0, other("bob"));
        room.add(1, one("carol"));
        room.add(2, other("dave"));
        room.add(3, other("erin"));
        room.add(0, one("frank"));
        for by in [5, 0, 4, 1, 3, 2] {
            room.update(by);
        }
        room.remove(1, 2);
        room.update(2);
        room.remove(0, 3);
        room.update(1);
        room.update(3);
        room.add(2, one("grace"));
        room.remove(4, 0);
        room.update(0);
    });
}
