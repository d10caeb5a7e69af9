// Rate-distortion-optimised mapping: index maps that DEFLATE makes much smaller, at a slightly larger error.
//
// Each row is a shortest path over what its pixels may become, by error plus lambda times bits (rdo_trellis.hpp). What
// bits cost is learned from the map before, twice.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "histogram.hpp"

namespace chromapress {

/// A palette in the order that the map was made for, and the map.
struct Shaped {
  std::vector<Rgba> palette;
  std::vector<std::uint8_t> indices;
};

/// `strength`: lambda in units of the mean error of the nearest mapping, from 0 (that mapping itself). Errors weigh
/// less where the surroundings vary. The first `fixed` entries keep their colours; others move to the mean of their
/// pixels. Pixels keep their kind; fully transparent ones are free to take any transparent entry. Throws as map_pixels
/// does.
Shaped map_rate_distortion(const Pixels& pixels, std::span<const Rgba> palette, std::size_t fixed, double strength);

}  // namespace chromapress
