// Pixels and colours to the entries of a palette.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "histogram.hpp"

namespace chromapress {

/// For each colour the nearest palette entry that it `may_become` (the first of equals). Throws std::invalid_argument
/// on a palette of 0 or more than 256 entries, and where a colour occurs that the palette has no entry for.
std::vector<std::uint8_t> map_colors(std::span<const Rgba> colors, std::span<const Rgba> palette, ColorSpace space);

/// The same for each pixel. dither: the share of the error that Floyd and Steinberg's filter hands on, 0 to 1, row
/// by row in alternating direction; less of it where neighbours differ or entries hardly do, and never more than 0.35
/// of the way to the next entry. threads: for what is not dithered; 0 is as many as the processor has.
std::vector<std::uint8_t> map_pixels(const Pixels& pixels, std::span<const Rgba> palette, ColorSpace space,
                                     double dither, std::size_t threads = 1);

/// Into memory that is there: as many bytes as pixels.
void map_pixels(const Pixels& pixels, std::span<const Rgba> palette, ColorSpace space, double dither,
                std::size_t threads, std::span<std::uint8_t> indices);

/// Sum over pixels of the squared distance, in the clustering space, to the entry that `map_pixels` takes.
double palette_error(const HistogramView& view, std::span<const Rgba> palette);

}  // namespace chromapress
