// PNG files of few colours (ISO/IEC 15948): the encoder.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "color.hpp"
#include "index_map.hpp"

namespace chromapress {

/// The file whose pixels are palette[index]: equal entries merged, unused ones dropped, the others in an order that
/// compresses well, bit depth 1, 2, 4 or 8, tRNS up to the last entry that is not opaque; or, where that is smaller,
/// without a palette. effort: 1 (fastest) to 9 (smallest). Throws std::invalid_argument on an index beyond the palette
/// and on sizes that PNG does not have.
std::vector<std::uint8_t> encode_png(const IndexMap& map, std::span<const Rgba> palette, int effort);

}  // namespace chromapress
