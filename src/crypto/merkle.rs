//! Roots of Merkle trees (RFC 6962 section 2.1), leaf by leaf, in memory that grows with the logarithm of their number.

use sha2::{Digest, Sha256};

const LEAF: [u8; 1] = [0];
const NODE: [u8; 1] = [1];

/// The tree over the leaves so far.
#[derive(Clone, Debug, Default)]
pub struct MerkleTree {
    leaves: u64,
    /// The roots of its perfect subtrees, largest first: one for each bit of `leaves` that is set.
    roots: Vec<[u8; 32]>,
}

impl MerkleTree {
    /// Adds a leaf behind the others.
    pub fn push(&mut self, leaf: &[u8]) {
        let mut root: [u8; 32] = Sha256::new().chain_update(LEAF).chain_update(leaf).finalize().into();
        // Two subtrees of one size become one, as a carry goes up.
        for _ in 0..self.leaves.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                root = node(&left, &root);
            }
        }
        self.roots.push(root);
        self.leaves += 1;
    }

    /// How many leaves it has.
    #[must_use]
    pub fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The root; of a tree without leaves, the digest of nothing.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        let joined = self.roots.iter().rev().copied().reduce(|right, left| node(&left, &right));
        joined.unwrap_or_else(|| Sha256::digest([]).into())
    }
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(NODE).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves and roots that the implementations of Certificate Transparency are tested with.
    #[test]
    fn a11_roots_are_those_of_rfc_6962() {
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
            (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
            (6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
            (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ];
        for (count, root) in roots {
            let mut tree = MerkleTree::default();
            leaves[..count].iter().for_each(|leaf| tree.push(leaf));
            let hex: String = tree.root().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, root, "{count}");
            assert_eq!(tree.leaves(), count as u64);
        }
    }
}
