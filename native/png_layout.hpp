// How an index map becomes the rows of a PNG: the order of its palette, its format and its row filters are what trials
// find to be smallest.
#pragma once

#include <cstdint>
#include <vector>

#include "color.hpp"
#include "png_format.hpp"
#include "png_order.hpp"

namespace chromapress {

/// What the chunks of a PNG hold.
struct Layout {
  std::vector<Rgba> palette;  // written only if the format is indexed
  Format format;
  std::vector<std::uint8_t> stream;  // of the filtered rows
};

/// effort: 1 (fastest) to 9 (smallest).
Layout lay_out(Indexed image, std::size_t width, int effort);

}  // namespace chromapress
