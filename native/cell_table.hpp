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

#include "color.hpp"

namespace chromapress {

class CellTable {
 public:
  struct Entry {
    Rgba color;
    std::uint8_t number;
  };

  /// At least one entry, at most 256, with ascending numbers; of equally near ones the first is taken.
  explicit CellTable(std::span<const Entry> entries);

  /// The number of the entry that is nearest to (r, g, b).
  std::uint8_t operator()(std::uint32_t r, std::uint32_t g, std::uint32_t b) {
    const std::uint32_t cell = ((r >> 3) << 10) | ((g >> 3) << 5) | (b >> 3);
    const std::uint32_t color = ((r & 7) << 6) | ((g & 7) << 3) | (b & 7);
    std::size_t block = cells_[cell];
    if (block == kUnopened) block = open_cell(cell);
    return answers_[block * kCellColors + color];
  }

  /// The same for each of some pixels of three channels.
  void map(std::span<const std::uint8_t> rgb, std::span<std::uint8_t> numbers);

 private:
  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kCellColors = 512;
  static constexpr std::size_t kCells = 32768;
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
  std::uint16_t open_cell(std::uint32_t cell);

  Columns pool_;  // all entries, the selections of the groups, and that of the last cell
  Slice all_;
  std::array<Slice, kGroups> groups_{};
  std::vector<std::uint16_t> cells_;                // the block of each cell
  std::unique_ptr<std::uint8_t[]> answers_;         // by block; there is room for all, untouched until they are used
  std::uint16_t last_block_ = kUnopened;
  std::array<std::uint16_t, kMaxColors> shared_{};  // the block of the cells that have but this entry left
};

}  // namespace chromapress
