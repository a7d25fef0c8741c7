//! What a HEIC says of its size. It stays as it is.

use image::metadata::Orientation;

use super::{
    ImageError,
    limits::{Limits, area},
    plan::{Parts, Plan},
    source::Source,
};

/// Sizes that are looked at; an image of tiles has three or four.
const MOST_SIZES: u32 = 1_000;

/// The boxes that lead to sizes, one inside the other.
const WAY: [&[u8; 4]; 3] = [b"meta", b"iprp", b"ipco"];

pub(super) fn plan(source: &mut Source, limits: &Limits) -> Result<Plan, ImageError> {
    let mut found = Found::default();
    let end = source.len();
    // Of what is broken, or laid out in a way that is not known here, that much is told as was found.
    if let Err(ImageError::Io(error)) = look(source, end, &WAY, &mut found) {
        return Err(error.into());
    }
    if let Some((width, height)) = found.size {
        limits.check_size(width, height)?;
    }
    Ok(Plan {
        size: found.size,
        frames: 1,
        animated: false,
        orientation: if found.turned {
            Orientation::Rotate90
        } else {
            Orientation::NoTransforms
        },
        scratch_bytes: 0,
        parts: Parts::whole(source.len()),
    })
}

#[derive(Default)]
struct Found {
    /// The largest of all sizes: tiles and previews are smaller than the picture.
    size: Option<(u32, u32)>,
    sizes: u32,
    /// Whether it is shown a quarter turned.
    turned: bool,
}

/// Looks through the boxes up to `end`, and into those on the way.
fn look(
    source: &mut Source,
    end: u64,
    way: &[&[u8; 4]],
    found: &mut Found,
) -> Result<(), ImageError> {
    while source.at() < end && found.sizes < MOST_SIZES {
        let at = source.at();
        let mut count = u64::from(u32::from_be_bytes(source.array()?));
        let kind: [u8; 4] = source.array()?;
        if count == 1 {
            count = u64::from_be_bytes(source.array()?);
        }
        let last = if count == 0 {
            end
        } else {
            at.saturating_add(count)
        };
        if last > end || last < source.at() {
            return Err(ImageError::Damaged("a part of it is longer than the whole"));
        }
        match (way.split_first(), &kind) {
            (Some((step, way)), kind) if *step == kind => {
                if kind == b"meta" {
                    source.skip(4)?;
                }
                look(source, last, way, found)?;
            }
            (None, b"ispe") => {
                source.skip(4)?;
                let size = (
                    u32::from_be_bytes(source.array()?),
                    u32::from_be_bytes(source.array()?),
                );
                found.sizes += 1;
                let larger = |(width, height)| area(width, height) < area(size.0, size.1);
                if found.size.is_none_or(larger) {
                    found.size = Some(size);
                }
            }
            // Quarters of a turn.
            (None, b"irot") => found.turned = source.byte()? % 2 == 1,
            _ => {}
        }
        source.skip_to(last)?;
    }
    Ok(())
}
