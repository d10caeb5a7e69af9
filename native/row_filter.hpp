// PNG's row filters (ISO/IEC 15948, clause 9).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace chromapress {

/// What is chosen once for an image: one filter for all rows, or a rule that takes each row's by itself.
enum class Filtering : std::uint8_t {
  none,
  sub,
  up,
  average,
  paeth,
  least_sum,      ///< the smallest sum of absolute differences, libpng's heuristic
  least_entropy,  ///< the smallest entropy of the row's bytes
  fewest_pairs,   ///< the fewest distinct pairs of neighbouring bytes
  pair_entropy,   ///< the smallest entropy of the pairs
  shortest,       ///< the shortest stream of the last few rows with this one; slow
};

/// `row_bytes` packed bytes become a filter byte and as many filtered ones, for each row. What a byte has to its left
/// is `pixel_bytes` before it, 1 to 4.
std::vector<std::uint8_t> filter_rows(std::span<const std::uint8_t> packed, std::size_t row_bytes, Filtering filtering,
                                      std::size_t pixel_bytes = 1);

}  // namespace chromapress
