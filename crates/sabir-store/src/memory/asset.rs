//! Uploaded files in the model.

use super::State;
use crate::{Asset, BeginAsset, BeginAssetOutcome, DropAssets, FinishAsset, GiveUpAsset};

impl State {
    pub(super) fn begin_asset(&mut self, command: BeginAsset) -> BeginAssetOutcome {
        let BeginAsset {
            id,
            owner,
            size,
            hash,
            quota,
            most,
            expires_at,
            now,
        } = command;
        let same = self.assets.values().find(|asset| {
            asset.owner == owner && asset.size == size && asset.hash == hash && asset.expires_at > now
        });
        if let Some(asset) = same {
            return BeginAssetOutcome::Same(asset.clone());
        }
        if self.assets.contains_key(&id) {
            return BeginAssetOutcome::IdTaken;
        }
        let theirs = self.assets.values().filter(|asset| asset.owner == owner);
        if theirs.count() as u64 >= most {
            return BeginAssetOutcome::TooMany;
        }
        let used = self.asset_bytes(&owner);
        if used.saturating_add(size) > quota {
            return BeginAssetOutcome::QuotaExceeded { used };
        }
        let asset = Asset {
            id: id.clone(),
            owner,
            size,
            hash,
            begun_at: now,
            finished: false,
            expires_at,
        };
        self.assets.insert(id, asset.clone());
        BeginAssetOutcome::Begun(asset)
    }

    pub(super) fn finish_asset(&mut self, command: FinishAsset) -> Option<Asset> {
        let FinishAsset { id, expires_at, now } = command;
        let asset = self.assets.get_mut(&id).filter(|asset| asset.expires_at > now)?;
        if !asset.finished {
            asset.finished = true;
            asset.expires_at = expires_at;
        }
        Some(asset.clone())
    }

    pub(super) fn give_up_asset(&mut self, command: GiveUpAsset) -> bool {
        let GiveUpAsset { id, owner, now } = command;
        match self.assets.get_mut(&id) {
            Some(asset) if asset.owner == owner => {
                asset.expires_at = asset.expires_at.min(now);
                true
            }
            _ => false,
        }
    }

    pub(super) fn drop_assets(&mut self, command: DropAssets) -> u64 {
        let DropAssets { ids, now } = command;
        let before = self.assets.len();
        self.assets
            .retain(|id, asset| asset.expires_at > now || !ids.contains(id));
        before.saturating_sub(self.assets.len()) as u64
    }

    pub(super) fn asset(&self, id: &str) -> Option<Asset> {
        self.assets.get(id).cloned()
    }

    pub(super) fn asset_bytes(&self, owner: &str) -> u64 {
        let theirs = self.assets.values().filter(|asset| asset.owner == owner);
        theirs.fold(0, |sum, asset| sum.saturating_add(asset.size))
    }

    pub(super) fn expired_assets(&self, now: u64, limit: usize) -> Vec<String> {
        let mut expired: Vec<_> = self
            .assets
            .values()
            .filter(|asset| asset.expires_at <= now)
            .map(|asset| (asset.expires_at, asset.id.clone()))
            .collect();
        expired.sort();
        expired.into_iter().take(limit).map(|(_, id)| id).collect()
    }
}
