//! How large an image may be, judged before it is decoded.

use super::ImageError;

/// How large an image may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Pixels of one picture.
    pub max_pixels: u64,
    /// Pictures of an animation.
    pub max_frames: u32,
    /// Pixels of all pictures of an animation together.
    pub max_total_pixels: u64,
    /// Bytes that decoding one image may take, the picture itself included.
    pub max_alloc_bytes: u64,
}

/// The longest side; the most that libjpeg, and so nearly every program, opens.
const MAX_SIDE: u32 = 65_500;

impl Default for Limits {
    /// 100 megapixels: twice what most cameras and phones make, below what is sent to fill memory.
    /// An animation of a thousand million pixels is twenty seconds of full HD; 512 MiB hold 100
    /// megapixels of four bytes, and are what the `image` crate allows itself as well.
    fn default() -> Self {
        Self {
            max_pixels: 100_000_000,
            max_frames: 2_000,
            max_total_pixels: 1_000_000_000,
            max_alloc_bytes: 512 << 20,
        }
    }
}

impl Limits {
    /// Judges one picture.
    pub(super) fn check_size(&self, width: u32, height: u32) -> Result<(), ImageError> {
        if width == 0 || height == 0 {
            return Err(ImageError::Damaged("it has no width or no height"));
        }
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(ImageError::TooLarge(format!(
                "it is {width} × {height} pixels, and no side may be longer than {MAX_SIDE}"
            )));
        }
        if area(width, height) > self.max_pixels {
            return Err(ImageError::TooLarge(format!(
                "it is {width} × {height} pixels, and at most {} megapixels are taken",
                self.max_pixels / 1_000_000
            )));
        }
        Ok(())
    }

    /// Judges so many pictures of this size.
    pub(super) fn check_frames(
        &self,
        frames: u32,
        width: u32,
        height: u32,
    ) -> Result<(), ImageError> {
        if frames > self.max_frames {
            return Err(ImageError::TooLarge(format!(
                "it is an animation of more than {} frames",
                self.max_frames
            )));
        }
        if area(width, height) * u64::from(frames) > self.max_total_pixels {
            return Err(ImageError::TooLarge(format!(
                "its frames have more than {} megapixels together",
                self.max_total_pixels / 1_000_000
            )));
        }
        Ok(())
    }

    /// Judges what decoding will take.
    pub(super) fn check_memory(&self, bytes: u64) -> Result<(), ImageError> {
        if bytes > self.max_alloc_bytes {
            return Err(ImageError::TooLarge(format!(
                "decoding it takes {} MB of memory, and at most {} are given",
                bytes >> 20,
                self.max_alloc_bytes >> 20
            )));
        }
        Ok(())
    }
}

/// The pixels of a picture.
pub(super) fn area(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height)
}
