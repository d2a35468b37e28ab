//! The digest of the state: each part hashed by itself, the sum kept, so that a change costs one
//! subtraction and one addition. The figures are those of `naive/digest.py`, byte for byte.
//!
//! Multiply-and-fold is wyhash's (Wang Yi, 2019); lots are splitmix64 (Steele, Lea, Flood, 2014).

const SALT: [u64; 7] = [
    0xA076_1D64_78BD_642F,
    0xE703_7ED1_A0B4_28DB,
    0x8EBC_6AF0_9C88_C6E3,
    0x5899_65CC_7537_4CC3,
    0x1D8E_4E27_C47D_124F,
    0xEB44_ACCA_B455_D165,
    0x9E37_79B9_7F4A_7C15,
];

/// What a digest is of.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(crate) enum Tag {
    Waiting = 1,
    Contact,
    Lane,
    Rest,
    Excluded,
    Agent,
    Hold,
    Reserved,
    Pair,
    Skill,
    Need,
    Limit,
    Rank,
    Profile,
    Key,
    Order,
    Rung,
}

#[inline]
pub(crate) fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

/// A 64-bit hash of six numbers; shorter things pad with zeros.
#[inline]
pub(crate) fn digest(tag: Tag, [a, b, c, d, e, f]: [u64; 6]) -> u64 {
    let front = fold(a ^ SALT[0], b ^ SALT[1]) ^ fold(c ^ SALT[2], d ^ SALT[3]) ^ tag as u64;
    fold(front, fold(e ^ SALT[4], f ^ SALT[5]) ^ SALT[6])
}

/// FNV-1a over UTF-8 (Fowler, Noll, Vo).
pub(crate) fn text(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hashed, byte| {
        (hashed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// The lot an agent draws for a contact under `random`.
pub(crate) fn lot(seed: u64, contact: u64, agent: u64) -> i64 {
    let mut drawn = seed;
    for value in [contact, agent] {
        drawn = (drawn ^ value).wrapping_add(SALT[6]);
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        drawn ^= drawn >> 31;
    }
    (drawn >> 1) as i64
}

/// Spreads an id over a table.
#[inline]
pub(crate) fn spread(id: u64) -> u64 {
    fold(id ^ SALT[0], SALT[6])
}

/// A quick hasher for keys made of a few numbers.
#[derive(Default)]
pub(crate) struct Folder(u64);

impl std::hash::Hasher for Folder {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_i32(&mut self, value: i32) {
        self.write_u64(u64::from(value as u32));
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value as u64);
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.0 = fold(self.0.rotate_left(5) ^ value ^ SALT[1], SALT[6]);
    }
}
