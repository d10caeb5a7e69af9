// Pixels and colours to the entries of a palette.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "histogram.hpp"

namespace chromapress {

/// For each colour the nearest palette entry of its kind (the first of equals). Throws std::invalid_argument on a
/// palette of 0 or more than 256 entries, and where a kind of colour occurs that the palette does not have.
std::vector<std::uint8_t> map_colors(std::span<const Rgba> colors, std::span<const Rgba> palette, ColorSpace space);

/// The same for each pixel. dither: the share of the error that Floyd and Steinberg's filter hands on, 0 to 1, row
/// by row in alternating direction.
std::vector<std::uint8_t> map_pixels(const Pixels& pixels, std::span<const Rgba> palette, ColorSpace space,
                                     double dither);

/// Sum over pixels of the squared distance, in the clustering space, to the entry that `map_pixels` takes.
double palette_error(const HistogramView& view, std::span<const Rgba> palette);

}  // namespace chromapress
