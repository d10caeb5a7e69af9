// zlib streams (RFC 1950, RFC 1951).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace chromapress {

/// The stream of `data` at one of libdeflate's levels, 1 to 12.
std::vector<std::uint8_t> deflate(std::span<const std::uint8_t> data, int level);

/// How hard `deflate_small` tries.
struct Trials {
  std::size_t depth;        // earlier positions looked at for each position
  std::size_t passes;       // parses, each with the costs that the one before suggests; at least 1
  std::size_t long_match;   // how many bytes of a match are enough to look no further; 4 to 258
  std::size_t places = 48;  // where blocks may end, of a million bytes; at least 1
  bool headers = true;      // whether codes are sought that cost less in the blocks' headers
};

/// A shorter stream, by parses whose costs are those of the blocks that they are for.
std::vector<std::uint8_t> deflate_small(std::span<const std::uint8_t> data, const Trials& trials);

}  // namespace chromapress
