// From an index map back to pixels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "color.hpp"

namespace chromapress {

/// Writes the colour of each index to `pixels`, `channels` bytes of it (3 or 4), and returns how often each entry of
/// the palette, 1 to 256, occurs. std::invalid_argument for an index of no entry.
std::vector<std::int64_t> expand(std::span<const std::uint8_t> indices, std::span<const Rgba> palette,
                                 std::size_t channels, std::span<std::uint8_t> pixels);

}  // namespace chromapress
