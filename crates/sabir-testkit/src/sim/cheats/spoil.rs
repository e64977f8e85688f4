//! Commits that a hub cannot see through and members cannot apply.

use std::sync::Arc;

use sabir_core::conversation::Intent;
use sabir_core::room::MEMBER;
use sabir_wire::client_api::path;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::mls::MlsMessage;
use sabir_wire::protocol::{HandshakeBundle, UpdateRequest};
use sabir_wire::uri::UserUri;

use super::Cheat;
use crate::sim::client::Client;
use crate::sim::rogue::Spoil;
use crate::sim::world::World;

impl World {
    /// A commit of the device that cheats, with path secrets that lead somebody, or everybody, astray.
    pub(super) fn spoils_a_path(self: &Arc<Self>) {
        if !self.strikes(300) {
            return;
        }
        let Some((mallory, place, mut rogue, _)) = self.rogue() else {
            return;
        };
        let others: Vec<u32> = rogue
            .leaves()
            .into_iter()
            .filter(|leaf| *leaf != rogue.own_leaf())
            .collect();
        let (way, victim) = {
            let cheats = self.cheats();
            (cheats.fate.below(3), cheats.fate.one_of(&others).copied())
        };
        let Some(victim) = victim else { return };
        let keys = rogue.keys_of(victim);
        rogue.spoil = match way {
            0 => Spoil::Ciphertext(keys),
            1 => Spoil::Secret(keys),
            _ => Spoil::Everything,
        };
        let what = format!(
            "{} spoils a path, way {way}, for leaf {victim}",
            self.short(&place.room)
        );
        let Ok(commit) = rogue.refresh(&place.key) else {
            return;
        };
        let body = super::forge::request(&commit);
        let world = Arc::clone(self);
        tokio::spawn(async move {
            let at = format!("{}{}", path::UPDATE, place.room.to_path_segment());
            let taken = mallory.posts(&at, &body).await;
            let taken = taken.is_some_and(|answer| super::is_taken(true, &answer));
            world.say(&mallory.name, &format!("{what}; taken: {taken}"));
        });
    }

    /// The device that cheats opens a room for somebody, whose Welcome it may spoil.
    pub(super) fn lures(&self) {
        if !self.strikes(200) {
            return;
        }
        let Some(mallory) = self.mallory() else { return };
        let others = self.clients().into_iter().map(|client| client.user.clone());
        let others: Vec<UserUri> = others.filter(|user| *user != mallory.user).collect();
        let (whom, number) = {
            let cheats = self.cheats();
            (cheats.fate.one_of(&others).cloned(), cheats.fate.below(1 << 32))
        };
        let room = mallory.open_group(&format!("lure {number} of {}", mallory.name));
        if let (Ok(room), Some(user)) = (room, whom) {
            let role = MEMBER;
            let _ = mallory.want(&room, Intent::Add { user, role });
        }
    }

    /// Spoils the membership tag of a commit that the cheating device sends, or its Welcome.
    pub(in crate::sim) fn spoils(&self, client: &Client, at: &str, body: &[u8]) -> Option<Vec<u8>> {
        let is_it = self.cheat == Some(Cheat::Spoils) && at.starts_with(path::UPDATE);
        if !is_it || self.mallory()?.name != client.name || self.cheats().over {
            return None;
        }
        let (strikes, how) = {
            let cheats = self.cheats();
            (cheats.fate.happens(700), cheats.fate.below(3))
        };
        let mut request = UpdateRequest::from_bytes(body).ok().filter(|_| strikes)?;
        let HandshakeBundle::Commit { message, welcome, .. } = &mut request.bundle else {
            return None;
        };
        match (welcome, message.as_mut()) {
            (Some(welcome), _) if how == 1 => {
                *welcome.encrypted_group_info.last_mut()? ^= 1;
                self.say(&client.name, "spoils a Welcome for all");
            }
            (Some(welcome), _) if how == 2 => {
                let secrets = welcome.secrets.first_mut()?;
                *secrets.encrypted_group_secrets.ciphertext.last_mut()? ^= 1;
                self.say(&client.name, "spoils a Welcome for one");
            }
            (_, MlsMessage::Public(message)) => {
                *message.membership_tag.as_mut()?.last_mut()? ^= 1;
                self.say(&client.name, "spoils a membership tag");
            }
            _ => return None,
        }
        Some(request.to_bytes())
    }
}
