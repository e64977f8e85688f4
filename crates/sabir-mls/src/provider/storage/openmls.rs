//! [`StorageProvider`] for [`Overlay`]: which method reads or writes which table.

use openmls_traits::storage::{CURRENT_VERSION, Key, StorageProvider, traits};

use super::codec::{Table, decode, key_part, row_key};
use super::{Overlay, StorageError};

/// Methods that write, read or delete one row by one key. `K` is the key's type and `V` the value's; their order is
/// the trait's, whose callers name them by position.
macro_rules! rows {
    (@ write $name:ident <$a:ident: $at:ident, $b:ident: $bt:ident> $table:ident) => {
        fn $name<$a: traits::$at<CURRENT_VERSION>, $b: traits::$bt<CURRENT_VERSION>>(
            &self,
            key: &K,
            value: &V,
        ) -> Result<(), StorageError> {
            self.put(Table::$table, row_key(Table::$table, key, &[])?, value)
        }
    };
    (@ read $name:ident <$a:ident: $at:ident, $b:ident: $bt:ident> $table:ident) => {
        fn $name<$a: traits::$at<CURRENT_VERSION>, $b: traits::$bt<CURRENT_VERSION>>(
            &self,
            key: &K,
        ) -> Result<Option<V>, StorageError> {
            self.get(Table::$table, &row_key(Table::$table, key, &[])?)
        }
    };
    (@ delete $name:ident <$($p:ident: $pt:ident),+> $table:ident) => {
        fn $name<$($p: traits::$pt<CURRENT_VERSION>),+>(&self, key: &K) -> Result<(), StorageError> {
            self.remove(row_key(Table::$table, key, &[])?);
            Ok(())
        }
    };
    ($($verb:ident $name:ident <$($p:ident: $pt:ident),+> $table:ident;)*) => {
        $(rows!(@ $verb $name <$($p: $pt),+> $table);)*
    };
}

impl StorageProvider<CURRENT_VERSION> for Overlay {
    type Error = StorageError;

    rows! {
        write write_mls_join_config<K: GroupId, V: MlsGroupJoinConfig> JoinConfig;
        read mls_group_join_config<K: GroupId, V: MlsGroupJoinConfig> JoinConfig;
        delete delete_group_config<K: GroupId> JoinConfig;

        write write_interim_transcript_hash<K: GroupId, V: InterimTranscriptHash> InterimTranscriptHash;
        read interim_transcript_hash<K: GroupId, V: InterimTranscriptHash> InterimTranscriptHash;
        delete delete_interim_transcript_hash<K: GroupId> InterimTranscriptHash;

        write write_context<K: GroupId, V: GroupContext> GroupContext;
        read group_context<K: GroupId, V: GroupContext> GroupContext;
        delete delete_context<K: GroupId> GroupContext;

        write write_confirmation_tag<K: GroupId, V: ConfirmationTag> ConfirmationTag;
        read confirmation_tag<K: GroupId, V: ConfirmationTag> ConfirmationTag;
        delete delete_confirmation_tag<K: GroupId> ConfirmationTag;

        write write_group_state<V: GroupState, K: GroupId> GroupState;
        read group_state<V: GroupState, K: GroupId> GroupState;
        delete delete_group_state<K: GroupId> GroupState;

        write write_message_secrets<K: GroupId, V: MessageSecrets> MessageSecrets;
        read message_secrets<K: GroupId, V: MessageSecrets> MessageSecrets;
        delete delete_message_secrets<K: GroupId> MessageSecrets;

        write write_resumption_psk_store<K: GroupId, V: ResumptionPskStore> ResumptionPsks;
        read resumption_psk_store<K: GroupId, V: ResumptionPskStore> ResumptionPsks;
        delete delete_all_resumption_psk_secrets<K: GroupId> ResumptionPsks;

        write write_own_leaf_index<K: GroupId, V: LeafNodeIndex> OwnLeafIndex;
        read own_leaf_index<K: GroupId, V: LeafNodeIndex> OwnLeafIndex;
        delete delete_own_leaf_index<K: GroupId> OwnLeafIndex;

        write write_group_epoch_secrets<K: GroupId, V: GroupEpochSecrets> EpochSecrets;
        read group_epoch_secrets<K: GroupId, V: GroupEpochSecrets> EpochSecrets;
        delete delete_group_epoch_secrets<K: GroupId> EpochSecrets;

        write write_application_export_tree<K: GroupId, V: ApplicationExportTree> ApplicationExportTree;
        read application_export_tree<K: GroupId, V: ApplicationExportTree> ApplicationExportTree;
        delete delete_application_export_tree<K: GroupId, V: ApplicationExportTree> ApplicationExportTree;

        write write_signature_key_pair<K: SignaturePublicKey, V: SignatureKeyPair> SignatureKeyPair;
        read signature_key_pair<K: SignaturePublicKey, V: SignatureKeyPair> SignatureKeyPair;
        delete delete_signature_key_pair<K: SignaturePublicKey> SignatureKeyPair;

        write write_encryption_key_pair<K: EncryptionKey, V: HpkeKeyPair> EncryptionKeyPair;
        read encryption_key_pair<V: HpkeKeyPair, K: EncryptionKey> EncryptionKeyPair;
        delete delete_encryption_key_pair<K: EncryptionKey> EncryptionKeyPair;

        write write_key_package<K: HashReference, V: KeyPackage> KeyPackage;
        read key_package<K: HashReference, V: KeyPackage> KeyPackage;
        delete delete_key_package<K: HashReference> KeyPackage;

        write write_psk<K: PskId, V: PskBundle> Psk;
        read psk<V: PskBundle, K: PskId> Psk;
        delete delete_psk<K: PskId> Psk;
    }

    // The tree is kept in pieces, of which a commit changes few.

    fn write_tree<K: traits::GroupId<CURRENT_VERSION>, V: traits::TreeSync<CURRENT_VERSION>>(
        &self,
        group: &K,
        tree: &V,
    ) -> Result<(), StorageError> {
        self.put_pieces(Table::Tree, &row_key(Table::Tree, group, &[])?, tree)
    }

    fn tree<K: traits::GroupId<CURRENT_VERSION>, V: traits::TreeSync<CURRENT_VERSION>>(
        &self,
        group: &K,
    ) -> Result<Option<V>, StorageError> {
        self.get_pieces(Table::Tree, &row_key(Table::Tree, group, &[])?)
    }

    fn delete_tree<K: traits::GroupId<CURRENT_VERSION>>(&self, group: &K) -> Result<(), StorageError> {
        self.remove_under(&row_key(Table::Tree, group, &[])?);
        Ok(())
    }

    // The key pairs of one epoch and leaf are one row.

    fn write_encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        V: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf_index: u32,
        key_pairs: &[V],
    ) -> Result<(), StorageError> {
        self.put(
            Table::EpochKeyPairs,
            epoch_key(group, epoch, leaf_index)?,
            &key_pairs,
        )
    }

    fn encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        V: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf_index: u32,
    ) -> Result<Vec<V>, StorageError> {
        let key = epoch_key(group, epoch, leaf_index)?;
        Ok(self.get(Table::EpochKeyPairs, &key)?.unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf_index: u32,
    ) -> Result<(), StorageError> {
        self.remove(epoch_key(group, epoch, leaf_index)?);
        Ok(())
    }

    // Own leaf nodes: a list of rows without names.

    fn append_own_leaf_node<G: traits::GroupId<CURRENT_VERSION>, V: traits::LeafNode<CURRENT_VERSION>>(
        &self,
        group: &G,
        leaf_node: &V,
    ) -> Result<(), StorageError> {
        let prefix = row_key(Table::OwnLeafNodes, group, &[])?;
        self.append(Table::OwnLeafNodes, &prefix, &[], leaf_node)
    }

    fn own_leaf_nodes<G: traits::GroupId<CURRENT_VERSION>, V: traits::LeafNode<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<Vec<V>, StorageError> {
        let prefix = row_key(Table::OwnLeafNodes, group, &[])?;
        self.list(&prefix, |value| decode(Table::OwnLeafNodes, value))
    }

    fn delete_own_leaf_nodes<G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<(), StorageError> {
        self.remove_named(&row_key(Table::OwnLeafNodes, group, &[])?, |_| true);
        Ok(())
    }

    // Queued proposals: a list of rows named by the proposal's reference, in order of arrival.

    fn queue_proposal<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        V: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        reference: &R,
        proposal: &V,
    ) -> Result<(), StorageError> {
        let prefix = row_key(Table::QueuedProposals, group, &[])?;
        let name = key_part(Table::QueuedProposals, reference)?;
        self.remove_named(&prefix, |present| present == name);
        self.append(Table::QueuedProposals, &prefix, &name, &(reference, proposal))
    }

    fn queued_proposal_refs<G: traits::GroupId<CURRENT_VERSION>, R: traits::ProposalRef<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<Vec<R>, StorageError> {
        let prefix = row_key(Table::QueuedProposals, group, &[])?;
        let pairs: Vec<(R, serde::de::IgnoredAny)> =
            self.list(&prefix, |value| decode(Table::QueuedProposals, value))?;
        Ok(pairs.into_iter().map(|(reference, _)| reference).collect())
    }

    fn queued_proposals<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        V: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
    ) -> Result<Vec<(R, V)>, StorageError> {
        let prefix = row_key(Table::QueuedProposals, group, &[])?;
        self.list(&prefix, |value| decode(Table::QueuedProposals, value))
    }

    fn remove_proposal<G: traits::GroupId<CURRENT_VERSION>, R: traits::ProposalRef<CURRENT_VERSION>>(
        &self,
        group: &G,
        reference: &R,
    ) -> Result<(), StorageError> {
        let name = key_part(Table::QueuedProposals, reference)?;
        self.remove_named(&row_key(Table::QueuedProposals, group, &[])?, |present| {
            present == name
        });
        Ok(())
    }

    fn clear_proposal_queue<G: traits::GroupId<CURRENT_VERSION>, R: traits::ProposalRef<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<(), StorageError> {
        self.remove_named(&row_key(Table::QueuedProposals, group, &[])?, |_| true);
        Ok(())
    }
}

fn epoch_key<G: Key<CURRENT_VERSION>, E: Key<CURRENT_VERSION>>(
    group: &G,
    epoch: &E,
    leaf_index: u32,
) -> Result<Vec<u8>, StorageError> {
    let epoch = key_part(Table::EpochKeyPairs, epoch)?;
    row_key(Table::EpochKeyPairs, group, &[&epoch, &leaf_index.to_be_bytes()])
}
