// The nearest of a few opaque colours to any opaque colour, in sRGB levels: exact, in integers, answers remembered.
//
// The colour cube is cut into cells of 8^3 colours. The first question about a cell rules out the entries that are
// the nearest of none of its colours, then answers for all its colours at once; cells that have one entry left share
// a block of answers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cells.hpp"

namespace chromapress {

class CellTable {
 public:
  struct Entry {
    Rgba color;
    std::uint8_t number;
  };

  /// At least one entry, at most 256, with ascending numbers; of equally near ones the first is taken.
  explicit CellTable(std::span<const Entry> entries);

  /// The number of the entry that is nearest to the colour of a place.
  std::uint8_t operator()(std::uint32_t place) {
    std::size_t block = cells_[place / kCellColors];
    if (block == kUnopened) block = open_cell(place / kCellColors);
    return answers_[block * kCellColors + place % kCellColors];
  }

 private:
  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kGroups = 512;  // of 4^3 cells
  static constexpr std::uint16_t kUnopened = 0;

  // Entries as columns, padded to whole vectors.
  struct Columns {
    std::vector<std::int32_t> r, g, b;
    std::vector<std::uint8_t> number;
    void push(std::int32_t r_, std::int32_t g_, std::int32_t b_, std::uint8_t number_);
    void resize(std::size_t size);
    void pad();
  };
  struct Slice {
    std::uint32_t begin = 0, size = 0;
  };

  Slice select(Slice from, std::array<std::int32_t, 3> low, std::int32_t side);
  std::uint16_t open_cell(std::size_t cell);

  Columns pool_;  // all entries, the selections of the groups, and that of the last cell
  Slice all_;
  std::array<Slice, kGroups> groups_{};
  std::vector<std::uint16_t> cells_;         // the block of each cell
  std::unique_ptr<std::uint8_t[]> answers_;  // by block; there is room for all, untouched until they are used
  std::uint16_t last_block_ = kUnopened;
  std::array<std::uint16_t, kMaxColors> shared_{};  // the block of the cells that have but this entry left
};

}  // namespace chromapress
