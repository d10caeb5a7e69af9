// The nearest of a few opaque colours to any opaque colour, in sRGB levels: exact, in integers, answers remembered.
//
// The colour cube is cut into cells of 8^3 colours. The first question about a cell rules out the entries that are
// the nearest of none of its colours; where one entry is left, the cell itself is the answer.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "color.hpp"

namespace chromapress {

class CellTable {
 public:
  struct Entry {
    Rgba color;
    std::uint8_t number;
  };

  /// At least one entry, at most 256; of equally near ones the first is taken.
  explicit CellTable(std::span<const Entry> entries);

  /// The number of the entry that is nearest to (r, g, b).
  std::uint8_t operator()(std::uint32_t r, std::uint32_t g, std::uint32_t b) {
    const std::uint32_t cell = ((r >> 3) << 10) | ((g >> 3) << 5) | (b >> 3);
    std::uint16_t state = cells_[cell];
    if (state == kUnopened) [[unlikely]] {
      state = open_cell(cell);
    }
    if (state < kMany) return static_cast<std::uint8_t>(state);
    const std::size_t slot = state - kMany;
    std::uint8_t& known = answers_[slot * kCellColors + (((r & 7) << 6) | ((g & 7) << 3) | (b & 7))];
    if (known == kUnknown) known = nearest(slots_[slot], r, g, b);
    return known;
  }

 private:
  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kCellColors = 512;
  static constexpr std::size_t kCells = 32768;
  static constexpr std::size_t kGroups = 512;  // of 4^3 cells
  static constexpr std::uint16_t kUnopened = 0xffff;
  static constexpr std::uint16_t kMany = 256;
  static constexpr std::uint8_t kUnknown = 255;  // number 255, which few palettes have, is found anew each time

  // Entries as columns, padded to whole vectors with ones that are never the nearest.
  struct Columns {
    std::vector<std::int32_t> r, g, b;
    std::vector<std::uint8_t> number;
    void push(std::int32_t r_, std::int32_t g_, std::int32_t b_, std::uint8_t number_);
    void pad();
  };
  struct Slice {
    std::uint32_t begin = 0, size = 0;
  };

  Slice select(Slice from, std::array<std::int32_t, 3> low, std::int32_t side);
  std::uint16_t open_cell(std::uint32_t cell);
  std::uint8_t nearest(Slice slice, std::uint32_t r, std::uint32_t g, std::uint32_t b) const;

  Columns pool_;  // all entries, then the selections made from them
  Slice all_;
  std::array<Slice, kGroups> groups_{};
  std::vector<std::uint16_t> cells_;  // below 256: the answer; from 256: a slot
  std::vector<Slice> slots_;
  std::vector<std::uint8_t> answers_;
};

}  // namespace chromapress
