// How often each opaque colour occurs: a byte for each colour of the cells that occur, and what overflows apart.
#pragma once

#include <cstdint>
#include <vector>

#include "cells.hpp"
#include "histogram.hpp"

namespace chromapress {

class CellCounts {
 public:
  CellCounts();

  void add(std::uint32_t place) {
    std::size_t block = blocks_[place / kCellColors];
    if (block == kUnopened) block = open(place / kCellColors);
    std::uint8_t& count = counts_[block * kCellColors + place % kCellColors];
    if (++count == 0) overflow(place, count);
  }
  void add(const CellCounts& more);

  /// The colours that were counted.
  [[nodiscard]] Histogram histogram() const;

 private:
  static constexpr std::size_t kUnopened = 0;

  std::size_t open(std::size_t cell);
  void overflow(std::uint32_t place, std::uint8_t& count);
  void list_slab(std::size_t r, Histogram& to) const;

  std::vector<std::uint16_t> blocks_;     // of each cell
  std::vector<std::uint8_t> counts_;      // by block
  std::vector<std::uint32_t> overflows_;  // places, each for 255 more
};

}  // namespace chromapress
