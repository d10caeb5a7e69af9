// The order of a palette that makes the differences of neighbouring indices small, which is what PNG's row filters and
// DEFLATE's literals live on. Zeng, Li and Lei (2000) as modified by Pinho and Neves (2004), then exchanges of entries.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace chromapress {

/// How often two entries are neighbours in a row or in a column. Symmetric, without diagonal.
class Neighbors {
 public:
  /// Counts one row in `step` of a row-major map of entries below `size`.
  Neighbors(std::span<const std::uint8_t> indices, std::size_t width, std::size_t size, std::size_t step);
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::uint32_t operator()(std::size_t i, std::size_t j) const { return counts_[i * size_ + j]; }

 private:
  std::size_t size_;
  std::vector<std::uint32_t> counts_;
};

/// The cost of an order (order[position] = entry): the sum over pairs of count * log2(1 + distance / 4), in units of
/// the engine's own; only comparisons mean anything.
std::int64_t order_cost(const Neighbors& neighbors, std::span<const std::uint8_t> order);

/// An order of low cost in which the entries below `first` come first. `exchanges`: how many exchanges of two entries
/// are tried after Zeng's order (or the given one, where that is better), by threshold accepting (Dueck and Scheuer
/// 1990). Deterministic.
std::vector<std::uint8_t> palette_order(const Neighbors& neighbors, std::size_t first, std::size_t exchanges);

}  // namespace chromapress
