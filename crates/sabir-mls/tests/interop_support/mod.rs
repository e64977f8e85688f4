//! Members of one group in two libraries behind one trait, and a room that carries every message to everybody.

mod ours;
mod theirs;

pub(crate) use ours::ours;
pub(crate) use theirs::theirs;

/// A client of either library. Messages are encoded `MLSMessage`s. One that changes the group counts for its author
/// only after [`Member::accepted`].
pub(crate) trait Member {
    fn create(&mut self, group_id: &[u8]);
    fn key_package(&mut self) -> Vec<u8>;
    fn join(&mut self, welcome: &[u8]);
    /// Makes a GroupInfo with tree and external public key.
    fn group_info(&mut self) -> Vec<u8>;
    /// Joins by external commit, which it returns; it has taken effect at the author's.
    fn join_externally(&mut self, group_info: &[u8]) -> Vec<u8>;

    /// Commits an Add and returns commit and Welcome.
    fn add(&mut self, key_package: &[u8]) -> (Vec<u8>, Vec<u8>);
    fn remove(&mut self, leaf: u32) -> Vec<u8>;
    /// Commits whatever was proposed, with a path.
    fn commit(&mut self) -> Vec<u8>;
    fn accepted(&mut self);
    fn propose_update(&mut self) -> Vec<u8>;
    fn propose_remove(&mut self, leaf: u32) -> Vec<u8>;

    fn say(&mut self, text: &[u8]) -> Vec<u8>;
    /// Handles a message of somebody else; gives the text of an application message.
    fn hear(&mut self, message: &[u8]) -> Option<Vec<u8>>;

    fn leaf(&mut self) -> u32;
    /// What all members of an epoch share: its number, authenticator, tree hash and an exported secret.
    fn shared(&mut self) -> (u64, Vec<u8>, Vec<u8>, Vec<u8>);
}

/// The members of a group, in order of joining.
pub(crate) struct Room(pub(crate) Vec<Box<dyn Member>>);

impl Room {
    pub(crate) fn new(mut creator: Box<dyn Member>) -> Self {
        creator.create(b"a room of two libraries");
        Self(vec![creator])
    }

    pub(crate) fn add(&mut self, by: usize, mut who: Box<dyn Member>) {
        let (commit, welcome) = self.0[by].add(&who.key_package());
        self.carry_commit(by, &commit);
        who.join(&welcome);
        self.0.push(who);
        self.check();
    }

    pub(crate) fn join_externally(&mut self, through: usize, mut who: Box<dyn Member>) {
        let commit = who.join_externally(&self.0[through].group_info());
        self.0
            .iter_mut()
            .for_each(|member| assert_eq!(member.hear(&commit), None));
        self.0.push(who);
        self.check();
    }

    pub(crate) fn remove(&mut self, by: usize, whom: usize) {
        let leaf = self.0[whom].leaf();
        let commit = self.0[by].remove(leaf);
        self.carry_commit(by, &commit);
        self.0.remove(whom);
        self.check();
    }

    /// One member proposes to remove another, a third commits that.
    pub(crate) fn remove_by_proposal(&mut self, proposer: usize, whom: usize, committer: usize) {
        let leaf = self.0[whom].leaf();
        let proposal = self.0[proposer].propose_remove(leaf);
        self.carry(proposer, &proposal);
        let commit = self.0[committer].commit();
        self.carry_commit(committer, &commit);
        self.0.remove(whom);
        self.check();
    }

    pub(crate) fn update(&mut self, by: usize) {
        let commit = self.0[by].commit();
        self.carry_commit(by, &commit);
        self.check();
    }

    /// One member proposes its own update, another commits it.
    pub(crate) fn update_by_proposal(&mut self, proposer: usize, committer: usize) {
        let proposal = self.0[proposer].propose_update();
        self.carry(proposer, &proposal);
        self.update(committer);
    }

    fn carry_commit(&mut self, by: usize, commit: &[u8]) {
        self.carry(by, commit);
        self.0[by].accepted();
    }

    fn carry(&mut self, by: usize, message: &[u8]) {
        for (i, member) in self.0.iter_mut().enumerate() {
            if i != by {
                assert_eq!(member.hear(message), None);
            }
        }
    }

    /// Everybody is in the same epoch and understands everybody.
    fn check(&mut self) {
        let shared = self.0[0].shared();
        for member in &mut self.0 {
            assert_eq!(member.shared(), shared);
        }
        for speaker in 0..self.0.len() {
            let text = format!("{speaker} speaks in epoch {}", shared.0).into_bytes();
            let message = self.0[speaker].say(&text);
            for (i, member) in self.0.iter_mut().enumerate() {
                if i != speaker {
                    assert_eq!(member.hear(&message).as_ref(), Some(&text));
                }
            }
        }
    }
}
