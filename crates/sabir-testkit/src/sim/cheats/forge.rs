//! Credentials of somebody else, under a CA that has their provider's name and is not theirs.

use std::sync::Arc;

use axum::http::StatusCode;
use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use sabir_mls::group::OwnCommit;
use sabir_mls::identity::{ClientCredential, IdentityKey, Period, ProviderCa};
use sabir_mls::keys::{SigningKey, sha256};
use sabir_mls::{Device, key_package};
use sabir_wire::client_api::{PublishKeyPackagesRequest, path};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::mls::{GroupInfo, KeyPackage, MlsMessage, Proposal, ProposalOrRef, RatchetTree, Welcome};
use sabir_wire::protocol::{
    ClientKeyStatus, GroupInfoOption, HandshakeBundle, KeyMaterialResponse, RatchetTreeOption, UpdateRequest,
    UpdateRoomResponse,
};
use sabir_wire::uri::{ClientUri, Domain, RoomUri, UserUri};

use super::Cheat;
use crate::sim::client::{Client, device_list};
use crate::sim::fate::Fate;
use crate::sim::provider::{Answer, EPOCH_MS};
use crate::sim::rogue::{Leaf, Rogue, external};
use crate::sim::world::World;

const YEAR_MS: u64 = 365 * 24 * 3_600_000;

/// Where the device that cheats is a member.
pub(in crate::sim) struct PlaceOfMember {
    pub(in crate::sim) room: RoomUri,
    pub(in crate::sim) group: Vec<u8>,
    pub(in crate::sim) rows: sabir_mls::rows::Rows,
    pub(in crate::sim) key: SigningKey,
}

/// A CA in a provider's name that is not the provider's. A seed has one for each.
pub(in crate::sim) fn false_ca(seed: u64, domain: &Domain) -> ProviderCa {
    let mut rng = Fate::new(seed, &format!("false CA of {domain}")).stream();
    ProviderCa::generate(domain, EPOCH_MS, &mut rng).unwrap()
}

/// The request that carries a commit, whoever made it.
pub(super) fn request(commit: &OwnCommit) -> Vec<u8> {
    let info = GroupInfo::from_bytes(&commit.next.group_info).unwrap();
    let tree = RatchetTree::from_bytes(&commit.next.ratchet_tree).unwrap();
    let welcome = commit.welcome.as_deref();
    let bundle = HandshakeBundle::Commit {
        message: Box::new(MlsMessage::from_bytes(&commit.commit).unwrap()),
        welcome: welcome.map(|welcome| Welcome::from_bytes(welcome).unwrap()),
        group_info: Box::new(GroupInfoOption::Full(info)),
        ratchet_tree: RatchetTreeOption::Full(tree),
    };
    UpdateRequest { bundle }.to_bytes()
}

impl World {
    /// A device in somebody's name that nobody's provider vouches for.
    fn false_device(&self, user: &UserUri, client: &ClientUri, key: Option<&SigningKey>) -> Device {
        let mut rng = self.cheats().fate.stream();
        let ca = false_ca(self.seed, user.authority());
        let period = Period {
            now: EPOCH_MS,
            lifetime: YEAR_MS,
        };
        let identity = IdentityKey::generate(&mut rng).unwrap();
        let certificate = ca
            .issue_user(user, identity.public(), [7; 32], period, &mut rng)
            .unwrap();
        let new = SigningKey::ed25519(&mut rng).unwrap();
        let key = key.cloned().unwrap_or(new);
        let device = identity
            .issue_device(&certificate, client, key.public(), period, &mut rng)
            .unwrap();
        let list = device_list(user, &identity, std::slice::from_ref(&key), 2);
        Device {
            credential: ClientCredential::new(&device, &certificate).unwrap().to_bytes(),
            key,
            device_list: list.to_bytes(),
            suite: sabir_mls::suite::DEFAULT,
        }
    }

    /// A room of the device that cheats, where it is a member and nothing is the matter.
    fn place_of_mallory(&self) -> Option<(Arc<Client>, PlaceOfMember)> {
        let mallory = self.mallory()?;
        let rooms = mallory.member_of();
        let room = self.cheats().fate.one_of(&rooms)?.clone();
        let place = mallory.place_in(&room)?;
        Some((mallory, place))
    }

    /// Such a room, with a member that departs from what the library lets one do, and what its choices come from.
    pub(super) fn rogue(&self) -> Option<(Arc<Client>, PlaceOfMember, Rogue, ChaCha20Rng)> {
        let (mallory, place) = self.place_of_mallory()?;
        let mut rng = self.cheats().fate.stream();
        let rogue = Rogue::try_load(&place.rows, &place.group, &mut rng)?;
        Some((mallory, place, rogue, rng))
    }

    /// Exchanges key packages of an answer, where its giver forges.
    pub(in crate::sim) fn forges_packages(&self, by: &str, at: &str, answer: &mut Answer) {
        let is_it = at.contains("/key-material/") || at.contains("/keyMaterial/");
        if self.cheat != Some(Cheat::Forges) || !is_it || answer.status != StatusCode::OK {
            return;
        }
        if !self.strikes(250) {
            return;
        }
        let Ok(mut response) = KeyMaterialResponse::from_bytes(&answer.body) else {
            return;
        };
        let user = response.user_uri.clone();
        for client in &mut response.clients {
            let ClientKeyStatus::Success(package) = &mut client.status else {
                continue;
            };
            let device = self.false_device(&user, &client.client_uri, None);
            let mut rng = self.cheats().fate.stream();
            let made = key_package::generate(&device, 1, self.now(), &mut rng).unwrap();
            let forged = KeyPackage::from_bytes(&made.first().unwrap().bytes).unwrap();
            self.cheats().forged.insert(sha256(&forged.to_bytes()));
            **package = forged;
        }
        self.say(by, &format!("forges key packages of {user}"));
        answer.body = Bytes::from(response.to_bytes());
    }

    /// Looks whether somebody who does not cheat commits what was forged.
    pub(in crate::sim) fn looks_for_forged(&self, from: &str, at: &str, body: &[u8]) {
        if self.cheat != Some(Cheat::Forges) || !at.starts_with(path::UPDATE) {
            return;
        }
        let Ok(UpdateRequest {
            bundle: HandshakeBundle::Commit { message, .. },
        }) = UpdateRequest::from_bytes(body)
        else {
            return;
        };
        let MlsMessage::Public(message) = *message else {
            return;
        };
        let Some(commit) = message.commit() else { return };
        for proposal in &commit.proposals {
            if let ProposalOrRef::Proposal(Proposal::Add(package)) = proposal
                && self.cheats().forged.contains(&sha256(&package.to_bytes()))
            {
                self.wrong(&format!("{from} adds a device whose credential is forged"));
            }
        }
    }

    fn now(&self) -> u64 {
        EPOCH_MS + u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }

    /// Key packages of the device that cheats, by which it would be somebody else's.
    fn publishes_forged(self: &Arc<Self>, mallory: Arc<Client>, victim: &UserUri, key: &SigningKey) {
        let device = self.false_device(victim, &mallory.uri, Some(key));
        let mut rng = self.cheats().fate.stream();
        let made = key_package::generate(&device, 1, self.now(), &mut rng).unwrap();
        let packages = made
            .iter()
            .map(|made| KeyPackage::from_bytes(&made.bytes).unwrap());
        let key_packages = packages.collect();
        let body = PublishKeyPackagesRequest { key_packages }.to_bytes();
        let what = format!("publishes a key package of {victim}");
        let world = Arc::clone(self);
        tokio::spawn(async move {
            let taken = mallory.posts(path::KEY_PACKAGES, &body).await.is_some();
            world.say(&mallory.name, &format!("{what}; taken: {taken}"));
            if taken {
                world.wrong("a provider took a credential that is forged");
            }
        });
    }

    /// A commit of the device that cheats, by which somebody else is to come in, or its leaf is to be somebody else's.
    pub(super) fn forges_a_leaf(self: &Arc<Self>) {
        if !self.strikes(600) {
            return;
        }
        let Some((mallory, place, mut rogue, mut rng)) = self.rogue() else {
            return;
        };
        let (way, whom) = {
            let cheats = self.cheats();
            (cheats.fate.below(5), cheats.fate.below(1 << 16))
        };
        // Whom its own provider speaks for, or its lie would stop there.
        let people = self.clients();
        let people: Vec<&UserUri> = people
            .iter()
            .map(|client| &client.user)
            .filter(|user| user.authority() == mallory.user.authority())
            .collect();
        let victim = people[usize::try_from(whom).unwrap() % people.len()];
        if way == 0 {
            return self.publishes_forged(mallory.clone(), victim, &place.key);
        }
        let client = ClientUri::new(victim.authority(), "nobody-0").unwrap();
        let leaf = Leaf::of(&self.false_device(victim, &client, None));
        let (what, commit) = match way {
            1 => (
                "a leaf",
                rogue.commit(&place.key, Some(&leaf), (Vec::new(), Vec::new()), |_| {}),
            ),
            2 => {
                let Ok((_, package, _)) = leaf.key_package(&mut rng) else {
                    return;
                };
                let adds = vec![package];
                (
                    "an Add",
                    rogue.commit(&place.key, None, (adds, Vec::new()), |_| {}),
                )
            }
            _ => (
                "an external commit",
                external(&leaf, &rogue.public_state(&place.key), &mut rng),
            ),
        };
        let what = format!("{} forges {what} of {victim}", self.short(&place.room));
        let body = match commit {
            Ok(commit) => request(&commit),
            Err(why) => return self.say(&mallory.name, &format!("{what}: {why}")),
        };
        let world = Arc::clone(self);
        tokio::spawn(async move {
            let at = format!("{}{}", path::UPDATE, place.room.to_path_segment());
            let Some(answer) = mallory.posts(&at, &body).await else {
                return;
            };
            let taken = super::is_taken(true, &answer);
            let why = UpdateRoomResponse::from_bytes(&answer).map(|answer| answer.error_description);
            let why = why.unwrap_or_default();
            world.say(&mallory.name, &format!("{what}; taken: {taken} {why}"));
            if taken {
                world.wrong("a hub took a credential that is forged");
            }
        });
    }
}
