//! quantette's K-means in sRGB, single thread, behind a C call: Wu's start, online K-means, nearest-neighbour map.

use palette::Srgb;
use quantette::{
    kmeans::{Kmeans, KmeansOptions},
    wu::{BinnerU8x3, WuU8x3},
    ImageRef, PaletteSize,
};

/// Fills `colors` (3 * 256 bytes) and `indices` (width * height bytes); returns the number of colours, 0 on an error.
///
/// # Safety
/// `pixels` holds 3 * width * height bytes.
#[no_mangle]
pub unsafe extern "C" fn quantize(
    pixels: *const u8,
    width: u32,
    height: u32,
    k: u16,
    colors: *mut u8,
    indices: *mut u8,
) -> u32 {
    let count = width as usize * height as usize;
    let pixels: &[Srgb<u8>] = std::slice::from_raw_parts(pixels.cast(), count);
    let Ok(image) = ImageRef::new(width, height, pixels) else {
        return 0;
    };
    let Some(wu) = WuU8x3::run_image(image, BinnerU8x3::rgb()) else {
        return 0;
    };
    let map = Kmeans::run_image(image, wu.palette(PaletteSize::from_u16_clamped(k)), KmeansOptions::new()).into_color_map();
    let (palette, mapped) = image.map_to_indexed(&map).into_parts();
    std::ptr::copy_nonoverlapping(palette.as_ptr().cast(), colors, 3 * palette.len());
    std::ptr::copy_nonoverlapping(mapped.as_ptr(), indices, mapped.len());
    palette.len() as u32
}
