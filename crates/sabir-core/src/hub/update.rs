//! Commits (draft-ietf-mimi-protocol-06 §5.3), and what both kinds of updates answer.

use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::observer::{Observed, StagedObserved};
use sabir_mls::{Author, CommitFacts, MlsError};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::{MlsMessage, RatchetTree, Sender, Welcome};
use sabir_wire::protocol::{
    FanoutMessage, GroupInfoOption, HandshakeBundle, RatchetTreeOption, UpdateOutcome, UpdateRequest,
    UpdateRoomResponse,
};
use sabir_wire::uri::{ClientUri, Domain};

use super::device_lists::Listed;
use super::own::Stapled;
use super::policy::{check_origin, speaks_for};
use super::proposals::MAX_WAITING;
use super::record::{Accepted, Waiting};
use super::{
    Effects, Hub, HubContext, HubError, HubEvent, LeafClient, Origin, Receivers, Route, judge, leaves,
    read_state, unknown_provider,
};
use crate::Millis;
use crate::room::policy::{self, Allowed, Refusal};
use crate::room::{RoomRules, RoomState};
use crate::scope::scoped;

/// A commit and what belongs to it.
struct Bundle<'a> {
    message: &'a MlsMessage,
    welcome: Option<&'a Welcome>,
    group_info: &'a GroupInfoOption,
    ratchet_tree: &'a RatchetTreeOption,
}

/// What a merged commit brought about.
struct Merged {
    welcome: Option<HubEvent>,
    stapled: Vec<Stapled>,
    waiting_changed: bool,
    /// Whether other clients are in the room than before.
    people_changed: bool,
}

/// What a commit did to the leaves.
struct Came {
    /// Where a client is now that was not there before, or is there anew.
    new: BTreeSet<u32>,
    /// Whether another client is anywhere.
    changed: bool,
}

/// What a commit is about.
struct Touched {
    external: bool,
    /// Whether it changes the room's state.
    state: bool,
    /// Leaves that go.
    removed: BTreeSet<u32>,
    /// Leaves that go or are replaced. Those that come in are others, or stand in their places.
    leaves: BTreeSet<u32>,
}

impl Touched {
    fn of(facts: &CommitFacts) -> Self {
        let committer = facts.path_leaf.iter().map(|_| facts.committer_leaf);
        let removed: BTreeSet<u32> = facts.removes.iter().map(|remove| remove.removed).collect();
        let updated = facts.updates.iter().filter_map(|(author, _)| match author {
            Author::Member(leaf) => Some(*leaf),
            Author::External(_) | Author::NewMember => None,
        });
        Self {
            external: facts.committer == Author::NewMember,
            state: !facts.app_data.is_empty(),
            leaves: committer.chain(removed.iter().copied()).chain(updated).collect(),
            removed,
        }
    }
}

/// Why an update is refused, as the answer says it.
pub(super) enum Refused {
    Answer(UpdateRoomResponse),
    Fault(HubError),
}

impl Hub {
    /// Takes a commit or proposals (draft-ietf-mimi-protocol-06 §5.3). `routes` says where the key packages went that its
    /// Welcome is for.
    ///
    /// # Errors
    /// [`HubError::UnknownProvider`] where a CA must be fetched first, or a fault of ours; everything the
    /// protocol has a code for is answered.
    pub fn update(
        &mut self,
        cx: HubContext<'_>,
        now: Millis,
        origin: &Origin,
        request: &UpdateRequest,
        routes: &BTreeMap<Vec<u8>, Route>,
    ) -> Result<Effects, HubError> {
        match self.try_update(cx, now, origin, request, routes) {
            Ok(effects) => Ok(effects),
            Err(Refused::Answer(response)) => Ok(Effects {
                epoch: self.epoch(),
                reply: response.to_bytes(),
                ..Effects::default()
            }),
            Err(Refused::Fault(fault)) => Err(fault),
        }
    }

    fn try_update(
        &mut self,
        cx: HubContext<'_>,
        now: Millis,
        origin: &Origin,
        request: &UpdateRequest,
        routes: &BTreeMap<Vec<u8>, Route>,
    ) -> Result<Effects, Refused> {
        self.check_stranger(origin, request.bundle.message())?;
        match &request.bundle {
            HandshakeBundle::Commit {
                message,
                welcome,
                group_info,
                ratchet_tree,
            } => {
                let bundle = Bundle {
                    message,
                    welcome: welcome.as_ref(),
                    group_info,
                    ratchet_tree,
                };
                self.commit(cx, now, origin, &bundle, routes)
            }
            HandshakeBundle::Proposal { message, more } => self.propose(cx, now, origin, message, more),
        }
    }

    fn commit(
        &mut self,
        cx: HubContext<'_>,
        now: Millis,
        origin: &Origin,
        bundle: &Bundle<'_>,
        routes: &BTreeMap<Vec<u8>, Route>,
    ) -> Result<Effects, Refused> {
        let accepted = self.accepted_at(now);
        let judge = judge(cx, accepted);
        self.check_references(bundle.message)?;
        let staged = match self
            .observer
            .stage(&bundle.message.to_bytes(), &judge, &RoomRules)
            .map_err(|error| mls(&error))?
        {
            Observed::Commit(staged) => *staged,
            Observed::Proposal(_) => return Err(denied("a commit was announced and a proposal came")),
        };
        let view = self.view();
        let allowed = policy::check_commit(view, &staged.facts).map_err(refused)?;
        let committer = policy::committer(view, &staged.facts).map_err(refused)?;
        check_origin(&committer, origin).map_err(refused)?;
        if self.record.waiting.cuts_off(&committer.user) {
            return Err(denied("the committer has left the room"));
        }
        let external = staged.facts.committer == Author::NewMember;
        self.check_links(accepted, &allowed).map_err(refused)?;
        if !external {
            self.check_departed(&staged.facts, &allowed)?;
        }
        let group_info = self.check_group_info(&staged, bundle.group_info)?;
        self.check_tree(&staged, bundle.ratchet_tree)?;
        let welcome_to = welcome_routes(&staged, bundle.welcome, routes)?;
        // Everybody who was in the room before learns of it, the removed included; and the joiner, who needs the
        // proposals that come with it.
        let joiner = external.then_some(&committer.client);
        let readers = Receivers::of(self.clients().chain(joiner), self.room.authority());
        let merged = self.merge(cx, accepted, staged, &allowed, bundle, welcome_to)?;
        // Nothing below can fail: the engine has moved on, and so does its store.
        let stapled: Vec<MlsMessage> = merged
            .stapled
            .into_iter()
            .map(|stapled| stapled.message)
            .collect();
        let mut events = vec![commit_event(accepted, bundle.message, &stapled, readers)];
        events.extend(merged.welcome);
        let lists_changed = self.remember_lists(allowed.device_lists);
        let links_changed = self.count_links(allowed.link.as_ref());
        self.record.group_info = group_info;
        self.record.last_accepted = accepted;
        let mut changes = scoped(self.observer.take_changes());
        self.record.write(&mut changes);
        if lists_changed {
            self.record.write_lists(&mut changes);
        }
        if links_changed {
            self.record.write_links(&mut changes);
        }
        if merged.waiting_changed {
            self.record.write_waiting(&mut changes);
        }
        Ok(Effects {
            changes,
            epoch: self.epoch(),
            events,
            reply: success(accepted),
        })
    }

    /// Remembers the lists of new leaves; says whether that is to be written. Where an identity key takes another's place,
    /// the person's leaves of before are cut off.
    fn remember_lists(&mut self, new: Vec<(LeafClient, Listed)>) -> bool {
        let mut changed = false;
        for (leaf, listed) in &new {
            let seen = self.record.device_lists.entry(leaf.user.clone()).or_default();
            let before = seen.clone();
            seen.raise(listed);
            changed |= *seen != before;
            if before.identity.is_none() || before.identity == seen.identity {
                continue;
            }
            let old = self.leaves.values().filter(|old| {
                let came = new.iter().any(|(other, _)| other.client == old.client);
                old.user == leaf.user && !came
            });
            self.record.replaced.extend(old.map(|old| old.client.clone()));
        }
        if !self.record.replaced.is_empty() {
            let before = self.record.replaced.len();
            let there: BTreeSet<&ClientUri> = self.leaves.values().map(|leaf| &leaf.client).collect();
            self.record.replaced.retain(|client| there.contains(client));
            changed |= self.record.replaced.len() != before;
        }
        changed
    }

    /// A provider of whom nobody is in the room learns nothing of it, not even its epoch from a commit that is too old.
    /// Who comes from outside was told the epoch with the GroupInfo.
    fn check_stranger(&self, origin: &Origin, message: &MlsMessage) -> Result<(), Refused> {
        let from_outside =
            matches!(message, MlsMessage::Public(message) if message.sender() == Sender::NewMemberCommit);
        let mut clients = self.leaves.values();
        if from_outside || clients.any(|client| speaks_for(&origin.provider, &client.user)) {
            Ok(())
        } else {
            Err(denied("nobody of this provider is in the room"))
        }
    }

    /// Every commit refers to what waits: a member's to all of it, an external one to every SelfRemove.
    fn check_references(&self, message: &MlsMessage) -> Result<(), Refused> {
        let MlsMessage::Public(message) = message else {
            return Ok(());
        };
        let (Some(commit), true) = (message.commit(), message.content.epoch == self.epoch()) else {
            // The answer is another one.
            return Ok(());
        };
        if let Sender::Member { leaf_index } = message.sender()
            && let Some(client) = self.leaves.get(&leaf_index)
            && self.record.waiting.cuts_off(&client.user)
        {
            // draft-ietf-mimi-protocol-06 §5.3: the hub "MUST prevent any of those clients from sending Commit
            // messages".
            return Err(denied("the committer has left the room"));
        }
        let external = message.sender() == Sender::NewMemberCommit;
        let waiting = self.waiting_proposals()?;
        let referred: BTreeSet<&[u8]> = commit.proposals_by_reference().collect();
        let known: BTreeSet<&[u8]> = waiting
            .iter()
            .map(|proposal| proposal.reference.as_slice())
            .collect();
        let unknown: Vec<Vec<u8>> = referred.difference(&known).map(|it| it.to_vec()).collect();
        if !unknown.is_empty() {
            let reason = "the commit refers to proposals that do not wait".to_owned();
            return Err(invalid(reason, unknown));
        }
        // draft-ietf-mimi-protocol-06 §3.5: "The next time a client attempts to commit, the hub requires the client
        // to include the cached proposals"; RFC 9420 §12.2 and draft-ietf-mls-extensions §6.3.1 let an external commit
        // refer to SelfRemoves alone.
        let missing: Vec<Vec<u8>> = waiting
            .iter()
            .filter(|proposal| !external || proposal.self_remove)
            .filter(|proposal| !referred.contains(proposal.reference.as_slice()))
            .map(|proposal| proposal.reference.clone())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(invalid(
            "the commit does not refer to all proposals that wait".to_owned(),
            missing,
        ))
    }

    /// A commit of a member who can know takes who departed off the list, where an external commit could not
    /// (`docs/specs.md`, protocol §5.3: departures).
    fn check_departed(&self, facts: &CommitFacts, allowed: &Allowed) -> Result<(), Refused> {
        let waiting = &self.record.waiting;
        if waiting.departed.is_empty() || waiting.newcomers.contains(&facts.committer_leaf) {
            return Ok(());
        }
        let stays = waiting
            .departed
            .iter()
            .any(|user| allowed.next.participant(user).is_some() && !allowed.added.contains(user));
        if stays {
            return Err(denied("the commit leaves somebody on the list who has left"));
        }
        Ok(())
    }

    fn check_group_info(
        &self,
        staged: &StagedObserved,
        option: &GroupInfoOption,
    ) -> Result<Vec<u8>, Refused> {
        let GroupInfoOption::Full(info) = option else {
            return Err(denied("a partial group info is not supported"));
        };
        let bytes = info.to_bytes();
        self.observer
            .check_group_info(staged, &bytes)
            .map_err(|error| mls(&error))?;
        Ok(bytes)
    }

    fn check_tree(&self, staged: &StagedObserved, option: &RatchetTreeOption) -> Result<(), Refused> {
        match option {
            RatchetTreeOption::Full(tree) => {
                let checked = self.observer.check_tree(staged, tree);
                checked.map_err(|error| mls(&error))
            }
            // draft-mahy-mls-ratchet-tree-options-03 §3: the hub follows the tree by itself.
            RatchetTreeOption::DistributionService => Ok(()),
            _ => Err(denied("the ratchet tree must come along or be left to the hub")),
        }
    }

    /// Merges, and goes back to the stored state where something that follows cannot be made.
    fn merge(
        &mut self,
        cx: HubContext<'_>,
        accepted: Millis,
        staged: StagedObserved,
        allowed: &Allowed,
        bundle: &Bundle<'_>,
        welcome_to: (Vec<ClientUri>, Vec<Domain>),
    ) -> Result<Merged, Refused> {
        let touched = Touched::of(&staged.facts);
        let merged = match self.observer.merge(staged) {
            Ok(()) => self.merged(cx, accepted, &touched, allowed, bundle.welcome, welcome_to),
            Err(error) => Err(mls(&error)),
        };
        match merged {
            Ok((state, waiting, merged)) => {
                let others = merged.people_changed || merged.waiting_changed || state.is_some();
                if let Some(state) = state {
                    self.state = state;
                }
                self.record.waiting = waiting;
                if others {
                    self.find_receivers();
                }
                Ok(merged)
            }
            Err(refused) => {
                self.reload().map_err(Refused::Fault)?;
                Err(refused)
            }
        }
    }

    /// What the observer's new epoch makes of the room: its state where that changed, and what waits. The leaves are
    /// brought up to date on the way.
    fn merged(
        &mut self,
        cx: HubContext<'_>,
        accepted: Millis,
        touched: &Touched,
        allowed: &Allowed,
        welcome: Option<&Welcome>,
        welcome_to: (Vec<ClientUri>, Vec<Domain>),
    ) -> Result<(Option<RoomState>, Waiting, Merged), Refused> {
        let read = || {
            let state = read_state(&self.observer);
            state.map_err(|error| Refused::Fault(HubError::Internal(error.to_string())))
        };
        let changed = touched.state.then(read).transpose()?;
        debug_assert!(touched.state || read().is_ok_and(|state| state == self.state));
        let came = self.follow_leaves(touched).map_err(Refused::Fault)?;
        let state = changed.as_ref().unwrap_or(&self.state);
        let welcome = welcome
            .map(|welcome| self.welcome_event(accepted, welcome, welcome_to))
            .transpose()
            .map_err(Refused::Fault)?;
        // Who is off the list has arrived, and who was added again is back.
        let before = &self.record.waiting;
        let newcomers = before.newcomers.clone();
        let mut departed = before.departed.clone();
        departed.retain(|user| state.participant(user).is_some() && !allowed.added.contains(user));
        let stapled = if touched.external {
            self.remove_departed(cx, &departed).map_err(Refused::Fault)?
        } else {
            Vec::new()
        };
        let mut waiting = Waiting {
            proposals: stapled
                .iter()
                .map(|stapled| Accepted {
                    message: stapled.bytes.clone(),
                    at: accepted,
                })
                .collect(),
            departed,
            newcomers: BTreeSet::new(),
            banned: BTreeSet::new(),
        };
        if !waiting.departed.is_empty() {
            let newcomers = newcomers.union(&came.new).copied();
            waiting.newcomers = newcomers.filter(|leaf| self.leaves.contains_key(leaf)).collect();
        }
        let merged = Merged {
            welcome,
            waiting_changed: waiting != self.record.waiting,
            people_changed: came.changed,
            stapled,
        };
        Ok((changed, waiting, merged))
    }

    /// Reads again the leaves that a commit touched, and no others: a room may have a thousand.
    fn follow_leaves(&mut self, touched: &Touched) -> Result<Came, HubError> {
        let strange = || HubError::Internal("a member's credential names no client".to_owned());
        let before: Vec<(u32, Option<LeafClient>)> = touched
            .leaves
            .iter()
            .map(|leaf| (*leaf, self.leaves.remove(leaf)))
            .collect();
        let mut new = BTreeSet::new();
        let mut count = 0_usize;
        for leaf in self.observer.leaf_indices() {
            count = count.saturating_add(1);
            if !self.leaves.contains_key(&leaf) {
                let (client, user) = self.observer.client(leaf).ok_or_else(strange)?;
                if touched.external || touched.removed.contains(&leaf) || !touched.leaves.contains(&leaf) {
                    new.insert(leaf);
                }
                self.leaves.insert(leaf, LeafClient { client, user });
            }
        }
        let others = before
            .iter()
            .filter(|(leaf, old)| self.leaves.get(leaf) != old.as_ref());
        let others: Vec<u32> = others.map(|(leaf, _)| *leaf).collect();
        let changed = !others.is_empty() || new.iter().any(|leaf| !touched.leaves.contains(leaf));
        new.extend(others);
        if self.leaves.len() != count {
            return Err(HubError::Internal("a leaf went without a proposal".to_owned()));
        }
        debug_assert!(leaves(&self.observer).is_ok_and(|leaves| leaves == self.leaves));
        Ok(Came { new, changed })
    }

    fn welcome_event(
        &self,
        accepted: Millis,
        welcome: &Welcome,
        (devices, followers): (Vec<ClientUri>, Vec<Domain>),
    ) -> Result<HubEvent, HubError> {
        // draft-ietf-mimi-protocol-06 §5.5: a Welcome travels with the ratchet tree.
        let tree = self
            .observer
            .ratchet_tree()
            .map_err(|error| HubError::Internal(error.to_string()))?;
        // As the library encodes it: reading it and writing it once more takes milliseconds in a large room.
        debug_assert!(RatchetTree::from_bytes(&tree).is_ok_and(|read| read.to_bytes() == tree));
        let message = MlsMessage::Welcome(welcome.clone());
        Ok(HubEvent {
            body: FanoutMessage::encode_welcome(accepted, &message, &tree),
            devices,
            followers,
        })
    }
}

fn commit_event(
    accepted: Millis,
    message: &MlsMessage,
    external_proposals: &[MlsMessage],
    readers: Receivers,
) -> HubEvent {
    HubEvent {
        body: FanoutMessage::encode_commit(accepted, message, external_proposals),
        devices: readers.devices,
        followers: readers.followers,
    }
}

/// The Welcome must be for exactly the key packages that are added, each of which went through this hub.
fn welcome_routes(
    staged: &StagedObserved,
    welcome: Option<&Welcome>,
    routes: &BTreeMap<Vec<u8>, Route>,
) -> Result<(Vec<ClientUri>, Vec<Domain>), Refused> {
    let added: BTreeSet<&[u8]> = staged
        .facts
        .adds
        .iter()
        .map(|add| add.reference.as_slice())
        .collect();
    let welcomed: BTreeSet<&[u8]> = welcome.iter().flat_map(|welcome| welcome.new_members()).collect();
    if added != welcomed {
        return Err(denied("the welcome is not for the added clients"));
    }
    let (mut devices, mut followers) = (Vec::new(), BTreeSet::new());
    for add in &staged.facts.adds {
        let client = add.leaf.verified().map_err(|error| mls(&error))?.client();
        match routes.get(&add.reference) {
            Some(Route::Device(device)) if device == client => devices.push(device.clone()),
            Some(Route::Provider(domain)) if domain == client.authority() => {
                followers.insert(domain.clone());
            }
            // draft-ietf-mimi-protocol-06 §5.2: key packages must have been asked for through the hub.
            _ => return Err(denied("a key package was not handed out through this hub")),
        }
    }
    Ok((devices, followers.into_iter().collect()))
}

/// The answer to what was accepted.
pub(super) fn success(accepted_timestamp: Millis) -> Vec<u8> {
    UpdateRoomResponse {
        error_description: String::new(),
        outcome: UpdateOutcome::Success { accepted_timestamp },
    }
    .to_bytes()
}

pub(super) fn denied(reason: &str) -> Refused {
    Refused::Answer(UpdateRoomResponse {
        error_description: reason.to_owned(),
        outcome: UpdateOutcome::NotAllowed,
    })
}

pub(super) fn refused(refusal: Refusal) -> Refused {
    match refusal {
        Refusal::Denied(reason) => denied(reason),
        Refusal::Invalid(reason) => invalid(reason, Vec::new()),
        Refusal::Leaf(error) => mls(&error),
    }
}

pub(super) fn invalid(error_description: String, mut invalid_proposals: Vec<Vec<u8>>) -> Refused {
    invalid_proposals.truncate(MAX_WAITING);
    Refused::Answer(UpdateRoomResponse {
        error_description,
        outcome: UpdateOutcome::InvalidProposal { invalid_proposals },
    })
}

pub(super) fn mls(error: &MlsError) -> Refused {
    if let Some(domain) = unknown_provider(error) {
        return Refused::Fault(HubError::UnknownProvider(domain));
    }
    let outcome = match error {
        MlsError::WrongEpoch { group, .. } => UpdateOutcome::WrongEpoch {
            current_epoch: *group,
        },
        MlsError::Internal(reason) => return Refused::Fault(HubError::Internal(reason.clone())),
        MlsError::AppData(_) => UpdateOutcome::InvalidProposal {
            invalid_proposals: Vec::new(),
        },
        _ => UpdateOutcome::NotAllowed,
    };
    Refused::Answer(UpdateRoomResponse {
        error_description: error.to_string(),
        outcome,
    })
}
