//! A cursor that reads little-endian numbers and strings from bytes that may end anywhere and say anything.

/// What was read, or what is wrong with the file.
pub(crate) type Parsed<T> = std::result::Result<T, String>;

/// A place in a file's bytes; never moves past their end.
#[derive(Clone)]
pub(crate) struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    pub(crate) fn new(bytes: &'b [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Parsed<&'b [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..count).ok_or_else(|| {
            let (at, left) = (self.at, rest.len());
            format!(
                "expected {count} bytes at byte {at} of its header, got {left}: truncated or damaged, fetch it again"
            )
        })?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let taken = self.take(N)?;
        Ok(std::array::from_fn(|i| taken[i]))
    }

    pub(crate) fn u8(&mut self) -> Parsed<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Parsed<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Parsed<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Parsed<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A 64-bit count, length or offset that this machine can address.
    pub(crate) fn size(&mut self) -> Parsed<usize> {
        let size = self.u64()?;
        usize::try_from(size).map_err(|_| format!("a size of {size} is beyond this machine: damaged, fetch it again"))
    }

    /// A string: its length, then UTF-8.
    pub(crate) fn text(&mut self) -> Parsed<&'b str> {
        let at = self.at;
        let length = self.size()?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| format!("the string at byte {at} of its header is not UTF-8"))
    }
}
