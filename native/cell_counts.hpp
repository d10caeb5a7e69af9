// How often each opaque colour occurs: a byte for each colour of the cells that occur, and what overflows apart.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "cells.hpp"
#include "histogram.hpp"
#include "parallel.hpp"

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

  /// Of pixels of three channels.
  void add_all(std::span<const std::uint8_t> rgb);

  /// The colours that were counted in some tables, at least one, which are used up.
  static Histogram histogram(std::span<CellCounts> tables, Team& team);

 private:
  static constexpr std::size_t kUnopened = 0;
  static constexpr std::size_t kSlabs = 32;  // of the cells of one red

  struct Slab;

  std::size_t open(std::size_t cell);
  void overflow(std::uint32_t place, std::uint8_t& count);
  static Slab slab_of(std::span<CellCounts> tables, std::size_t r);

  std::vector<std::uint16_t> blocks_;                         // of each cell
  std::vector<std::uint8_t> counts_;                          // by block
  std::array<std::vector<std::uint32_t>, kSlabs> overflows_;  // by slab: places, each for 255 more
};

}  // namespace chromapress
