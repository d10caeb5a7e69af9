// Lossless WebP files (RFC 9649) of index maps, by libwebp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "color.hpp"
#include "index_map.hpp"

namespace chromapress {

inline constexpr std::size_t kMaxWebpSide = 16383;

/// The file whose pixels are palette[index], also where they are fully transparent. effort: 1 (fastest) to 9
/// (smallest). Throws std::invalid_argument on an index beyond the palette and on sizes that WebP does not have.
std::vector<std::uint8_t> encode_webp(const IndexMap& map, std::span<const Rgba> palette, int effort);

}  // namespace chromapress
